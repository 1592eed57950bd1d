package pebblelog

import "github.com/cockroachdb/pebble/v2/vfs"

func checkWAL(fs vfs.FS, dir string) error { return nil }
