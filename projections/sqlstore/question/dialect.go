package question

// Dialect is what differs between SQL engines when they are asked.
type Dialect interface {
	// Arg returns the n-th placeholder, from 1.
	Arg(n int) string
	// Driven is true where a query names the index that drives it, because the engine's own choice
	// is a guess. Such an engine has an index of words of its own, from which deleted rows vanish
	// by themselves. Otherwise the words are rows (word, key) of a table, see WordsTable.
	Driven() bool
	// MatchWords returns a condition on row t of a table: its words column has, for each of the
	// words, one that begins with it. arg adds an argument and returns its placeholder.
	MatchWords(words string, of []string, arg func(any) string) string
	// Vocabulary returns a query for the indexed words from the first argument (inclusive) to the
	// second (exclusive), at most limit of them.
	Vocabulary(physical string, limit int) string
	// WordsFrom returns what to read to find the rows with the words, and the column in it that has
	// their key. Only a Driven dialect is asked.
	WordsFrom(physical string, of []Wanted, arg func(any) string) (from, key string)
	// WordsTable returns the name of the table of words. Only a dialect that is not Driven is
	// asked.
	WordsTable(physical string) string
}

// Wanted is a word to be found: any of the indexed words that begin with Prefix. Where these are
// few, Words lists them: a whole word is found by a walk along its rows, a prefix only by gathering
// all its rows first.
type Wanted struct {
	Prefix string
	Words  []string
}
