package lists

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// longest bounds the bytes of a value in a term: databases can't index texts of every length.
const longest = 512

// Everything is the list of all rows.
const Everything = ""

// Term returns the name of the list of rows that have the value in the column. The value is an
// int64, a string or bytes.
func Term(column string, value any) string {
	var text string
	switch v := value.(type) {
	case int64:
		text = strconv.FormatInt(v, 10)
	case []byte:
		text = hex.EncodeToString(v)
	case string:
		text = v
	}
	if len(text) > longest {
		sum := sha256.Sum256([]byte(text))
		// not within a letter: PostgreSQL refuses what is not UTF-8
		text = strings.ToValidUTF8(text[:longest-70], "") + " #" + hex.EncodeToString(sum[:])
	}
	return column + "=" + text
}

// Between returns bounds, the second exclusive. Between them are the terms of all of the column's
// texts that begin with the prefix: U+10FFFF sorts behind every letter.
func Between(column, prefix string) (from, to string) {
	return column + "=" + prefix, column + "=" + prefix + "\U0010FFFF"
}
