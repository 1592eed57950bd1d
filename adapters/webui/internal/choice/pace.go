package choice

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/atonehq/atone/domain"
)

// Pace reads how many runs an act begins with, how many a second it deals with, and after how many
// failures it stops; 0 means that the person did not say. No number is above most. An error says
// what to fill in.
func Pace(first, perSecond, stopAfter string, most int) (n int, rate float64, stop int, err error) {
	number := func(text, what string) (n int) {
		if text = strings.TrimSpace(text); text == "" {
			return 0
		}
		n, bad := strconv.Atoi(text)
		if bad != nil || n < 1 {
			err = fmt.Errorf("%s is a number of runs, 1 or more, and not %.30q", what, text)
		}
		return min(n, most)
	}
	n, stop = number(first, "how many to begin with"), number(stopAfter, "after how many failures to stop")
	rate, bad := domain.ParseRate(perSecond)
	return n, rate, stop, cmp.Or(err, bad)
}
