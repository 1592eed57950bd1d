package draw

import "strconv"

// Percent writes a share as SVG takes it.
func Percent(share float64) string { return strconv.FormatFloat(share*100, 'f', 3, 64) + "%" }
