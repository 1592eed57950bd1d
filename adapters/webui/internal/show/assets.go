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

// Assets returns a handler for the scripts and styles, and their path below the base. The path
// changes with their content, so that browsers can cache them for ever.
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

// cached lets browsers cache files for ever, because a file's address contains its version.
func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		next.ServeHTTP(w, r)
	})
}
