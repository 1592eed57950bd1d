package inbox

import (
	"slices"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// Image is an index as data, in parts that can be stored one by one.
type Image struct {
	Types []Type   `json:"types,omitempty"`
	Runs  []Run    `json:"runs,omitempty"`
	Kept  []Stored `json:"kept,omitempty"`
}

// Type is an awaited type of an [Image].
type Type struct {
	Name string          `json:"name"`
	Left domain.Position `json:"left,omitempty"`
}

// perEntry bounds the lists of one entry of an [Image], so that it fits a part.
const perEntry = 500

// Run is a run of an [Image]. There may be several of one run, each with a part of it.
type Run struct {
	ID    domain.RunID    `json:"run"`
	From  domain.Position `json:"from,omitempty"`
	Known bool            `json:"known,omitempty"`
	Types []string        `json:"types,omitempty"`
	Open  []Await         `json:"open,omitempty"`
	Taken []Taken         `json:"taken,omitempty"`
}

// Taken tells which events of a key a run has taken.
type Taken struct {
	Key
	UpTo domain.Position `json:"up_to,omitempty"`
	IDs  []uuid.UUID     `json:"ids,omitempty"`
}

// Stored is an event of an [Image], in the order of the log within its type.
type Stored struct {
	Key
	Event
}

// Image copies the index.
func (x *Index) Image() *Image {
	m := &Image{Runs: make([]Run, 0, len(x.runs)), Kept: make([]Stored, 0, x.Kept())}
	for name, k := range x.types {
		m.Types = append(m.Types, Type{name, k.left})
		for _, o := range k.order {
			m.Kept = append(m.Kept, Stored{Key{name, o.correlation}, *o.event})
		}
	}
	for id, r := range x.runs {
		c := Run{ID: id, From: r.from, Known: r.known, Types: r.types}
		for key, t := range r.taken {
			tk := Taken{Key: key, UpTo: t.upTo}
			for e := range t.ids {
				if tk.IDs = append(tk.IDs, e); len(tk.IDs) == perEntry {
					m.Runs = append(m.Runs, Run{ID: id, Taken: []Taken{tk}})
					tk.IDs = nil
				}
			}
			if c.Taken = append(c.Taken, tk); len(c.Taken) == perEntry {
				m.Runs = append(m.Runs, Run{ID: id, Taken: c.Taken})
				c.Taken = nil
			}
		}
		open := slices.Clone(r.open)
		for len(open) > perEntry {
			m.Runs = append(m.Runs, Run{ID: id, Open: open[:perEntry]})
			open = open[perEntry:]
		}
		c.Open = open
		m.Runs = append(m.Runs, c)
	}
	return m
}

// Restore adds a part of an image to the index. It ignores types that the index does not have.
func (x *Index) Restore(m *Image) {
	for _, t := range m.Types {
		if k := x.types[t.Name]; k != nil {
			k.left = t.Left
		}
	}
	for _, s := range m.Kept {
		if x.Awaits(s.Type) {
			x.Add(s.Key, s.Event)
		}
	}
	for _, c := range m.Runs {
		r := x.run(c.ID)
		if c.Known {
			r.from, r.known = c.From, true
		}
		if c.Types != nil {
			r.types = c.Types
		}
		for _, a := range c.Open {
			x.Open(c.ID, a)
		}
		for _, tk := range c.Taken {
			t := r.takenOf(tk.Key)
			t.upTo = max(t.upTo, tk.UpTo)
			for _, e := range tk.IDs {
				t.add(e)
			}
		}
	}
}
