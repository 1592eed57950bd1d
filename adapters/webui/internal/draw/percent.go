package draw

import "strconv"

// Percent writes a share from 0 to 1 as a percentage for SVG.
func Percent(share float64) string { return strconv.FormatFloat(share*100, 'f', 3, 64) + "%" }
