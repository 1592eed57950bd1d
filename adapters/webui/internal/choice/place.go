package choice

import (
	"strconv"
	"strings"

	"github.com/atonehq/atone/domain"
)

// Before reads where a page of events goes on, from an address: before which log position; 0, the
// end, for anything else. Older addresses have a revision behind it.
func Before(text string) domain.Position {
	position, _, _ := strings.Cut(text, "-")
	n, err := strconv.ParseUint(position, 10, 63)
	if err != nil {
		return 0
	}
	return domain.Position(n)
}
