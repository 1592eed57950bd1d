package explore

import (
	"bytes"
	"html/template"
)

// Page writes the result as a page of HTML that needs nothing else.
func (r *Result) Page(title string) []byte {
	type cell struct{ Mark, Class string }
	type row struct {
		Name  string
		Cells []cell
	}
	data := struct {
		Title, Counts string
		*Result
		Answers []Answer
		Table   []row
	}{Title: title, Counts: r.counts(), Result: r, Answers: r.Matrix.Columns()}
	classes := map[string]string{"held": "held", "BROKEN": "broken", "not tried": "untried", unjudged: "untried"}
	for _, name := range r.Matrix.Rows {
		line := row{Name: name}
		for _, a := range data.Answers {
			mark := r.Matrix.Mark(name, a)
			line.Cells = append(line.Cells, cell{mark, classes[mark]})
		}
		data.Table = append(data.Table, line)
	}
	var b bytes.Buffer
	if err := page.Execute(&b, data); err != nil {
		panic(err) // the template and its data are both from here
	}
	return b.Bytes()
}

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}: explored</title>
<style>
:root { color-scheme: light dark; --line: #8884; --ok: #18794e; --bad: #cd2b31; }
@media (prefers-color-scheme: dark) { :root { --ok: #4cc38a; --bad: #ff6369; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 76rem; padding: 1rem; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; }
pre { overflow: auto; border: 1px solid var(--line); border-radius: 6px; padding: .75rem; font-size: 13px; white-space: pre-wrap; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; text-align: center; white-space: nowrap; }
tbody th { text-align: left; position: sticky; left: 0; background: Canvas; max-width: 14rem; overflow: hidden; text-overflow: ellipsis; }
.held { color: var(--ok); } .broken { color: var(--bad); font-weight: 700; } .untried { opacity: .7; font-style: italic; }
</style></head><body>
<h1>{{.Title}}</h1>
<p>{{.Counts}}</p>
{{with .Broken}}<h2 class="broken">✗ Broken: {{.Violation.Invariant}}</h2>
<p>{{.Violation.Text}}</p>
<p>When <code>{{if .Schedule}}{{.Schedule}}{{else}}nothing goes wrong{{end}}</code></p>
<pre>{{.Story}}</pre>{{else}}<p class="held">✓ Nothing is broken.</p>{{end}}
{{range .Waiting}}<p>Note: a run can wait for ever: {{.}}</p>{{end}}
{{range .Never}}<p>Note: {{.}}</p>{{end}}
{{with .LeftOut}}<p>Left out: {{range $i, $a := .}}{{if $i}}, {{end}}{{$a}}{{end}}</p>{{end}}
<h2>What was answered, and whether the saga held</h2>
<div class="scroll"><table><thead><tr><th>at</th>{{range .Answers}}<th>{{.}}</th>{{end}}</tr></thead>
<tbody>{{range .Table}}<tr><th title="{{.Name}}">{{.Name}}</th>{{range .Cells}}<td class="{{.Class}}">{{if eq .Mark "held"}}✓ held{{else if eq .Mark "BROKEN"}}✗ BROKEN{{else}}{{.Mark}}{{end}}</td>{{end}}</tr>
{{end}}</tbody></table></div>
</body></html>
`))
