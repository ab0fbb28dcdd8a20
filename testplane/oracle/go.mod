// The reference programs and small servers of the tests. A module of its own so that it
// builds in seconds and its YAML library is pinned apart from Kubernetes' choice.
module plumb.dev/testplane/oracle

go 1.26.0

require (
	github.com/BurntSushi/toml v1.6.0
	sigs.k8s.io/yaml v1.6.0
)

require (
	go.yaml.in/yaml/v2 v2.4.2 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)
