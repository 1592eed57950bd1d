package saga

// orElse returns v, or, where that is the zero value, otherwise.
func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
