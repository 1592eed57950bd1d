package pebblelog

import "time"

// MarkSoon has the mark follow the log more closely than it does outside of tests.
func (c *Config) MarkSoon(every time.Duration) { c.markEvery = every }
