// This file owns bringing a chart into the registry the way `helm push` does: its archive,
// what it says of itself, and a manifest that names both.

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	oci "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	configType = "application/vnd.cncf.helm.config.v1+json"
	chartType  = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
)

type pusher struct {
	base, user, password, token string
}

// push uploads an archive and prints the digest of its manifest.
func push(arguments []string) error {
	flags := flag.NewFlagSet("push", flag.ExitOnError)
	p := &pusher{}
	flags.StringVar(&p.base, "to", "", "the registry's URL")
	flags.StringVar(&p.user, "user", "", "who pushes")
	flags.StringVar(&p.password, "password", "", "that user's password")
	byToken := flags.Bool("token", false, "ask the token service first")
	config := flags.String("config", "{}", "what the chart says of itself, as JSON")
	layer := flags.String("layer-type", chartType, "media type of the archive")
	name := flags.String("name", "", "the repository")
	tag := flags.String("tag", "", "the tag")
	_ = flags.Parse(arguments)
	archive, err := os.ReadFile(flags.Arg(0))
	if err != nil {
		return err
	}
	if *byToken {
		if err := p.authorize(*name); err != nil {
			return err
		}
	}
	manifest := oci.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: oci.MediaTypeImageManifest}
	if manifest.Config, err = p.blob(*name, configType, []byte(*config)); err != nil {
		return err
	}
	layers, err := p.blob(*name, *layer, archive)
	if err != nil {
		return err
	}
	manifest.Layers = []oci.Descriptor{layers}
	body, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	put, err := p.send(http.MethodPut, fmt.Sprintf("%s/v2/%s/manifests/%s", p.base, *name, *tag), oci.MediaTypeImageManifest, body)
	if err != nil {
		return err
	}
	fmt.Println(put.Get("Docker-Content-Digest"))
	return nil
}

func (p *pusher) authorize(name string) error {
	query := url.Values{"service": {service}, "scope": {"repository:" + name + ":pull,push"}}
	in, err := http.NewRequest(http.MethodGet, p.base+"/token?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	in.SetBasicAuth(p.user, p.password)
	out, err := http.DefaultClient.Do(in)
	if err != nil {
		return err
	}
	defer out.Body.Close()
	var given struct{ Token string }
	if err := json.NewDecoder(out.Body).Decode(&given); err != nil {
		return err
	}
	p.token = given.Token
	return nil
}

// blob uploads one blob in one piece.
func (p *pusher) blob(name, mediaType string, content []byte) (oci.Descriptor, error) {
	descriptor := oci.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(content), Size: int64(len(content))}
	started, err := p.send(http.MethodPost, fmt.Sprintf("%s/v2/%s/blobs/uploads/", p.base, name), "", nil)
	if err != nil {
		return descriptor, err
	}
	place := started.Get("Location")
	if strings.HasPrefix(place, "/") {
		place = p.base + place
	}
	joint := "?"
	if strings.Contains(place, "?") {
		joint = "&"
	}
	place += joint + url.Values{"digest": {descriptor.Digest.String()}}.Encode()
	_, err = p.send(http.MethodPut, place, "application/octet-stream", content)
	return descriptor, err
}

func (p *pusher) send(method, place, mediaType string, body []byte) (http.Header, error) {
	in, err := http.NewRequest(method, place, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if mediaType != "" {
		in.Header.Set("Content-Type", mediaType)
	}
	switch {
	case p.token != "":
		in.Header.Set("Authorization", "Bearer "+p.token)
	case p.password != "":
		in.SetBasicAuth(p.user, p.password)
	}
	out, err := http.DefaultClient.Do(in)
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(out.Body, 1000))
	if out.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, place, out.Status, said)
	}
	return out.Header, nil
}
