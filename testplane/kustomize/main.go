// Command kustomize prints what kustomize knows of kinds, as JSON: the OpenAPI document of
// Kubernetes that it embeds, and that of its own kinds.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	openapi_v2 "github.com/google/gnostic-models/openapiv2"
	"google.golang.org/protobuf/proto"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/kyaml/openapi/kubernetesapi"
	"sigs.k8s.io/kustomize/kyaml/openapi/kustomizationapi"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	kubernetes, err := builtin()
	if err != nil {
		return err
	}
	own, err := kustomizationapi.Asset("kustomizationapi/swagger.json")
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"version":       kubernetesapi.DefaultOpenAPI,
		"kubernetes":    kubernetes,
		"kustomization": json.RawMessage(own),
	})
}

// builtin reads the document of Kubernetes the way kustomize does.
func builtin() (*spec.Swagger, error) {
	assets := kubernetesapi.OpenAPIMustAsset[kubernetesapi.DefaultOpenAPI]
	bytes := assets("kubernetesapi/v1_21_2/swagger.pb")
	document := &openapi_v2.Document{}
	if err := proto.Unmarshal(bytes, document); err != nil {
		return nil, err
	}
	swagger := &spec.Swagger{}
	_, err := swagger.FromGnostic(document)
	return swagger, err
}
