package postgrestest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// EnvURL names an environment variable with the connection string of a database to test with.
const EnvURL = "ATONE_TEST_POSTGRES"

// Start returns the connection string of a PostgreSQL: the one that [EnvURL] names, or one that it
// starts in a temporary directory and that stop ends. If neither is possible, missing says why.
func Start() (url string, stop func(), missing string) {
	nothing := func() {}
	if url := os.Getenv(EnvURL); url != "" {
		return url, nothing, ""
	}
	for _, program := range []string{"initdb", "pg_ctl"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", nothing, fmt.Sprintf("%s is not installed and %s is not set: install PostgreSQL's server programs, or set %s to a connection string", program, EnvURL, EnvURL)
		}
	}
	dir, err := os.MkdirTemp("/tmp", "atone-pg")
	if err != nil {
		return "", nothing, err.Error()
	}
	remove := func() { _ = os.RemoveAll(dir) }
	run := func(program string, args ...string) error {
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		if os.Getuid() == 0 { // PostgreSQL refuses to run as root
			if err := unprivileged(cmd, dir); err != nil {
				return err
			}
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", program, err, out)
		}
		return nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		remove()
		return "", nothing, err.Error()
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	data := filepath.Join(dir, "data")
	if err := run("initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"); err != nil {
		remove()
		return "", nothing, err.Error()
	}
	options := fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories=%s -c fsync=off -c max_connections=300", port, dir)
	if err := run("pg_ctl", "-D", data, "-w", "-l", filepath.Join(dir, "log"), "-o", options, "start"); err != nil {
		remove()
		return "", nothing, err.Error()
	}
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port), func() {
		if err := run("pg_ctl", "-D", data, "-m", "immediate", "stop"); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		remove()
	}, ""
}

// unprivileged makes the program run as the user postgres, else as nobody.
func unprivileged(cmd *exec.Cmd, dir string) error {
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return fmt.Errorf("PostgreSQL needs a user to run as, and there is neither postgres nor nobody: %w", err)
		}
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return os.Chown(dir, uid, gid)
}
