package form

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/atonehq/atone/domain/shape"
)

// value reads a text as a value of a field. The second result says what is wrong with it.
func value(f *shape.Field, text string) (json.RawMessage, string) {
	if len(f.Enum) > 0 {
		for _, v := range f.Enum {
			if shape.Plain(v) == text {
				return v, ""
			}
		}
		return nil, "choose one of the values"
	}
	switch f.Kind {
	case shape.Text:
		return textValue(f, text)
	case shape.Integer, shape.Number:
		return numberValue(f, text)
	case shape.Boolean:
		if text != "true" && text != "false" {
			return nil, "choose true or false"
		}
		return json.RawMessage(text), ""
	}
	if !json.Valid([]byte(text)) {
		return nil, "is not valid JSON: " + faultOf(text)
	}
	return json.RawMessage(text), ""
}

// textValue checks a text by its length, pattern and format.
func textValue(f *shape.Field, text string) (json.RawMessage, string) {
	n := utf8.RuneCountInString(text)
	switch {
	case !utf8.ValidString(text):
		return nil, "has bytes that are not text"
	case f.Short != nil && n < *f.Short:
		return nil, fmt.Sprintf("is too short: use at least %d characters", *f.Short)
	case f.Long != nil && n > *f.Long:
		return nil, fmt.Sprintf("is too long: use at most %d characters", *f.Long)
	}
	if f.Pattern != "" {
		if like, err := regexp.Compile(f.Pattern); err == nil && !like.MatchString(text) {
			return nil, "does not look like " + f.Pattern
		}
	}
	if why := formatFault(f.Format, text); why != "" {
		return nil, why
	}
	raw, err := jsontext.AppendQuote(nil, text) // as it was written: & stays &
	if err != nil {
		return nil, err.Error()
	}
	return raw, ""
}

// formatFault says why a text does not fit a format; empty if it fits. Any text fits an unknown
// format.
func formatFault(format, text string) string {
	switch format {
	case "date-time":
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			return "is not a time: write it as 2006-01-02T15:04:05Z"
		}
	case "date":
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			return "is not a date: write it as 2006-01-02"
		}
	case "uuid":
		if _, err := uuid.Parse(text); err != nil {
			return "is not a UUID"
		}
	case "email":
		if at := strings.LastIndexByte(text, '@'); at < 1 || at == len(text)-1 || strings.ContainsAny(text, " \t") {
			return "is not an e-mail address"
		}
	}
	return ""
}

// numberValue checks a number against its bounds, and returns it as it was written.
func numberValue(f *shape.Field, text string) (json.RawMessage, string) {
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || math.IsInf(n, 0) || math.IsNaN(n) || !json.Valid([]byte(text)):
		return nil, "is not a number"
	case f.Kind == shape.Integer && strings.ContainsAny(text, ".eE"):
		return nil, "is not a whole number"
	case f.Least != nil && n < *f.Least:
		return nil, fmt.Sprintf("is less than %v", *f.Least)
	case f.Most != nil && n > *f.Most:
		return nil, fmt.Sprintf("is more than %v", *f.Most)
	}
	return json.RawMessage(text), ""
}

// faultOf says where a text stops being JSON.
func faultOf(text string) string {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return err.Error()
	}
	return "there is more text after its end"
}
