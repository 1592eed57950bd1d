// Package domain is atone's vocabulary as plain data: the events of a run and
// their wire names, plans and policies, identifiers, log records and errors.
//
// The package does no I/O and reads no clock. Every other package imports it; it
// imports none of them.
package domain
