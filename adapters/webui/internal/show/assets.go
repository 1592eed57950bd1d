package show

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
)

//go:embed static
var static embed.FS

// Assets serves the scripts and styles below the base, and returns the path that they are at. The
// path changes with their content, so that browsers keep what they have read.
func Assets(base string) (path string, serve http.Handler, err error) {
	files, version, err := files()
	if err != nil {
		return "", nil, err
	}
	path = base + "/static/" + version
	return path, cached(http.StripPrefix(path, http.FileServerFS(files))), nil
}

// files returns the embedded files and a version that changes with their content.
func files() (fs.FS, string, error) {
	files, err := fs.Sub(static, "static")
	if err != nil {
		return nil, "", err
	}
	sum := sha256.New()
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, path)
		sum.Write(b)
		return err
	})
	return files, hex.EncodeToString(sum.Sum(nil))[:12], err
}

// cached lets browsers keep what has its version in its address.
func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		next.ServeHTTP(w, r)
	})
}
