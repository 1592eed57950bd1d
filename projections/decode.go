package projections

import "github.com/atonehq/atone/domain"

// decodeFact reads an event of a run.
func decodeFact(r *domain.Recorded) (domain.Fact, error) { return domain.DecodeFact(r) }
