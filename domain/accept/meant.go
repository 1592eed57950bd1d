package accept

import "strings"

// Meant returns the name of a list that is most like a misspelt one, or nothing if none is like it:
// at most a third of the letters and one more may differ. Upper and lower case are the same.
func Meant(misspelt string, names []string) string {
	if len(misspelt) > maxMeant {
		return ""
	}
	best, least := "", len(misspelt)/3+2
	for _, n := range names {
		if len(n) > maxMeant {
			continue
		}
		if d := changes(strings.ToLower(misspelt), strings.ToLower(n)); d < least {
			best, least = n, d
		}
	}
	return best
}

// maxMeant is the longest name that is compared, in bytes: the cost grows with the square.
const maxMeant = 200

// changes counts the letters to insert, drop, replace or swap with their neighbour to turn one name
// into the other.
func changes(from, to string) int {
	a, b := []rune(from), []rune(to)
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
