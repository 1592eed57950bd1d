package question

// Dialect is what differs between SQL engines when they are asked.
type Dialect interface {
	// Arg returns the n-th placeholder, from 1.
	Arg(n int) string
	// Local is true where the engine runs in this process: many small statements are then as good
	// as one large one, which else takes arrays for arguments. A statement that writes is over in
	// no time: the end of a context does not interrupt it, which would cost more than the
	// statement.
	Local() bool
}
