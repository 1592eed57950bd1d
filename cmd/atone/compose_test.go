package main

import (
	"bytes"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	compose "github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/cmd/program"
)

// composed reads docker-compose.yml as Docker does.
func composed(t *testing.T) *types.Project {
	t.Helper()
	options, err := compose.NewProjectOptions([]string{"../../docker-compose.yml"})
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	return project
}

// oneShot are the services that do their work and end.
var oneShot = map[string]bool{"certificates": true, "first-token": true}

func TestComposeFileIsOneThatDockerTakes(t *testing.T) {
	t.Parallel()
	project := composed(t)
	require.ElementsMatch(t, []string{"certificates", "first-token", "db-1", "db-2", "db-3", "postgres", "nats", "atone-1", "atone-2"}, project.ServiceNames())
	pinned := regexp.MustCompile(`:v?\d+(\.\d+)*(-alpine)?$`)
	addresses := map[string]bool{}
	for name, s := range project.Services {
		if s.Build == nil {
			require.Regexp(t, pinned, s.Image, "the image of %s names a version", name)
		}
		if !oneShot[name] {
			require.NotNil(t, s.HealthCheck, name)
			require.NotEmpty(t, s.HealthCheck.Test, "%s has a health check", name)
		}
		for on, d := range s.DependsOn {
			want := types.ServiceConditionHealthy
			if oneShot[on] {
				want = types.ServiceConditionCompletedSuccessfully
			}
			require.Equal(t, want, d.Condition, "%s waits for %s", name, on)
		}
		for _, p := range s.Ports {
			require.Equal(t, "127.0.0.1", p.HostIP, "%s is published to this machine only", name)
		}
		for _, n := range s.Networks {
			if n != nil && n.Ipv4Address != "" {
				require.False(t, addresses[n.Ipv4Address], "%s is given twice", n.Ipv4Address)
				addresses[n.Ipv4Address] = true
			}
		}
	}
}

// TestComposeNodesFindEachOther holds each node's seeds and certificate against the others'
// addresses.
func TestComposeNodesFindEachOther(t *testing.T) {
	t.Parallel()
	project := composed(t)
	made := strings.Join(project.Services["certificates"].Command, " ")
	require.Contains(t, made, "-ip-addresses 127.0.0.1,172.30.240.1$n -dns-names localhost,db-$n")
	ips := map[string]string{"db-1": "172.30.240.11", "db-2": "172.30.240.12", "db-3": "172.30.240.13"}
	for name, ip := range ips {
		s := project.Services[name]
		env := func(key string) string {
			require.NotNil(t, s.Environment[key], "%s: %s", name, key)
			return *s.Environment[key]
		}
		require.Equal(t, ip, s.Networks["cluster"].Ipv4Address)
		require.Equal(t, ip, env("KURRENTDB_REPLICATION_IP"))
		require.Equal(t, name, env("KURRENTDB_ADVERTISE_HOST_TO_CLIENT_AS"))
		require.Equal(t, "/certs/node"+name[3:]+"/node.crt", env("KURRENTDB_CERTIFICATE_FILE"))
		var others []string
		for other, otherIP := range ips {
			if other != name {
				others = append(others, otherIP+":2113")
			}
		}
		require.ElementsMatch(t, others, strings.Split(env("KURRENTDB_GOSSIP_SEED"), ","))
	}
}

// TestComposeCertificatesSuitAnyUser holds that the database can read its keys whoever its image
// runs as, that nobody else has them, and that the volume is made before anybody reads it.
func TestComposeCertificatesSuitAnyUser(t *testing.T) {
	t.Parallel()
	project := composed(t)
	made := strings.Join(project.Services["certificates"].Command, " ")
	require.NotContains(t, made, "chown", "the image's user is not known")
	require.Regexp(t, `chmod 0444 node\$n/node.crt node\$n/node.key`, made)
	require.Regexp(t, `chmod 0600 ca/ca.key`, made)
	for name, s := range project.Services {
		for _, v := range s.Volumes {
			if v.Source == "certificates" && name != "certificates" {
				require.Regexp(t, `^db-\d$`, name, "only the database has the nodes' keys")
				require.True(t, v.ReadOnly, name)
			}
			if v.Source == "authority" && name != "certificates" {
				require.Equal(t, "/certs/ca", v.Target, name)
				require.True(t, v.ReadOnly, name)
			}
		}
		if s.Build == nil && strings.HasPrefix(name, "db-") {
			require.Empty(t, s.User, "%s runs as its image says", name)
			require.Contains(t, s.DependsOn, "certificates", name)
			require.Equal(t, types.RestartPolicyUnlessStopped, s.Restart, "%s leaves with code 0 where it must truncate", name)
		}
	}
}

// TestComposeStarts brings the cluster up where Docker is to be had. It takes minutes, and images
// from the network.
func TestComposeStarts(t *testing.T) {
	if testing.Short() || exec.Command("docker", "info").Run() != nil || exec.Command("docker", "compose", "version").Run() != nil {
		t.Skip("there is no Docker, or no time")
	}
	run := func(args ...string) {
		t.Helper()
		out, err := exec.Command("docker", append([]string{"compose", "--project-name", "atone-test", "--file", "../../docker-compose.yml"}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	t.Cleanup(func() { run("down", "--volumes") })
	run("up", "--build", "--wait", "--wait-timeout", "600")
	run("exec", "atone-1", "wget", "-qO-", "http://127.0.0.1:7070/health/ready")
}

// TestComposeUsesTheProgramAsItIs holds the flags and variables in the file against the program's.
func TestComposeUsesTheProgramAsItIs(t *testing.T) {
	t.Parallel()
	help := func(args ...string) string {
		var out bytes.Buffer
		program.Run(t.Context(), program.App{Name: "atone"}, append(args, "--help"), program.Streams{Out: &out, Err: &out, In: &bytes.Buffer{}})
		return out.String()
	}
	serve, create := help("serve"), help("token", "create")
	flag := regexp.MustCompile(`(^| )--([a-z-]+)`)
	variable := regexp.MustCompile(`ATONE_[A-Z]+`)
	names := map[string]bool{}
	for name, s := range composed(t).Services {
		if s.Build == nil {
			continue
		}
		command := strings.Join(s.Command, " ")
		for line := range strings.Lines(command) {
			for _, f := range flag.FindAllStringSubmatch(line, -1) {
				require.True(t, strings.Contains(serve, "--"+f[2]+" ") || strings.Contains(create, "--"+f[2]+" "), "%s: --%s", name, f[2])
			}
		}
		for key := range s.Environment {
			require.Regexp(t, variable, key)
			require.Contains(t, serve, key, "%s: serve knows %s", name, key)
		}
		if oneShot[name] {
			continue
		}
		node := regexp.MustCompile(`--node ([a-z0-9-]+)`).FindStringSubmatch(command)
		require.Len(t, node, 2, "%s has a name", name)
		require.False(t, names[node[1]], "two nodes are called %s", node[1])
		names[node[1]] = true
	}
	require.Len(t, names, 2)
}

// TestComposeEveryAtoneKnowsTheClusterAndItsViews guards against a merge that drops variables.
func TestComposeEveryAtoneKnowsTheClusterAndItsViews(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"atone-1", "atone-2", "first-token"} {
		env := composed(t).Services[name].Environment
		var all []string
		for _, value := range env {
			require.NotNil(t, value)
			all = append(all, *value)
		}
		for _, want := range []string{"db-1:2113", "db-2:2113", "db-3:2113", "tlsCaFile=/certs/ca/ca.crt", "postgres:5432"} {
			require.Contains(t, strings.Join(all, " "), want, name)
		}
	}
}
