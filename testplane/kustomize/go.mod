// What kustomize embeds, told to the recorder. A module of its own: kustomize pins other
// versions of what the control plane is built of.
module plumb.dev/testplane/kustomize

go 1.26.0

require (
	github.com/google/gnostic-models v0.6.9
	google.golang.org/protobuf v1.36.5
	k8s.io/kube-openapi v0.0.0-20241212222426-2c72e554b1e7
	sigs.k8s.io/kustomize/kyaml v0.21.1
)

require (
	github.com/go-openapi/jsonpointer v0.21.0 // indirect
	github.com/go-openapi/jsonreference v0.20.2 // indirect
	github.com/go-openapi/swag v0.23.0 // indirect
	github.com/josharian/intern v1.0.0 // indirect
	github.com/mailru/easyjson v0.7.7 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)
