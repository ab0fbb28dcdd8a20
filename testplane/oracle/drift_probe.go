// This file owns the drift probe of the benchmarks: it edits a managed field of one Service
// after the other as a person would, and takes the time until a watch shows it put right.

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"time"
)

type probedService struct {
	Metadata struct {
		Name            string            `json:"name"`
		ResourceVersion string            `json:"resourceVersion"`
		Labels          map[string]string `json:"labels"`
	} `json:"metadata"`
}

type probe struct {
	client               *http.Client
	server, token, label string
	collection           string
}

// driftProbe prints `{"edits": N, "p50_ms": …, "p99_ms": …, "max_ms": …}`.
func driftProbe(flags *flag.FlagSet, arguments []string) error {
	server := flags.String("server", "", "URL of the API server")
	token := flags.String("token", "", "bearer token")
	authority := flags.String("authority", "", "certificate authority file")
	namespace := flags.String("namespace", "", "namespace of the Services")
	label := flags.String("label", "tier", "the managed label to edit")
	count := flags.Int("count", 200, "edits")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	client, err := probeClient(*authority)
	if err != nil {
		return err
	}
	p := &probe{client, *server, *token, *label, "/api/v1/namespaces/" + *namespace + "/services"}
	var list struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
		Items []probedService `json:"items"`
	}
	if err := p.call(http.MethodGet, p.collection, nil, &list); err != nil {
		return err
	}
	watch, err := p.watch(list.Metadata.ResourceVersion)
	if err != nil {
		return err
	}
	var latencies []time.Duration
	for _, service := range list.Items {
		if len(latencies) == *count || service.Metadata.Labels[*label] == "" {
			break
		}
		latency, err := p.edit(service, watch)
		if err != nil {
			return err
		}
		latencies = append(latencies, latency)
	}
	if len(latencies) == 0 {
		return fmt.Errorf("no Service in %s has the label %s", *namespace, *label)
	}
	sort.Slice(latencies, func(i, j int) bool { return latencies[i] < latencies[j] })
	at := func(percent int) float64 {
		return float64(latencies[min(len(latencies)*percent/100, len(latencies)-1)].Microseconds()) / 1000
	}
	fmt.Printf("{\"edits\": %d, \"p50_ms\": %.1f, \"p99_ms\": %.1f, \"max_ms\": %.1f}\n", len(latencies), at(50), at(99), at(100))
	return nil
}

func probeClient(authority string) (*http.Client, error) {
	pem, err := os.ReadFile(authority)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}, nil
}

func (p *probe) do(method, path string, body []byte) (*http.Response, error) {
	request, err := http.NewRequest(method, p.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	request.Header.Set("Content-Type", "application/merge-patch+json")
	return p.client.Do(request)
}

func (p *probe) call(method, path string, body []byte, into any) error {
	response, err := p.do(method, path, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func (p *probe) watch(from string) (<-chan probedService, error) {
	response, err := p.do(http.MethodGet, p.collection+"?watch=true&resourceVersion="+from, nil)
	if err != nil {
		return nil, err
	}
	seen := make(chan probedService, 1024)
	go func() {
		defer response.Body.Close()
		defer close(seen)
		events := json.NewDecoder(response.Body)
		for {
			var event struct {
				Object probedService `json:"object"`
			}
			if events.Decode(&event) != nil {
				return
			}
			seen <- event.Object
		}
	}()
	return seen, nil
}

func (p *probe) edit(service probedService, watch <-chan probedService) (time.Duration, error) {
	name, wanted := service.Metadata.Name, service.Metadata.Labels[p.label]
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]string{p.label: "edited-by-hand"}}})
	if err != nil {
		return 0, err
	}
	var edited probedService
	if err := p.call(http.MethodPatch, p.collection+"/"+name+"?fieldManager=person", body, &edited); err != nil {
		return 0, err
	}
	begun := time.Now()
	edits := false
	limit := time.After(30 * time.Second)
	for {
		select {
		case event, open := <-watch:
			if !open {
				return 0, fmt.Errorf("the watch ended")
			}
			if event.Metadata.Name != name {
				continue
			}
			// The watch may still have events from before the edit.
			edits = edits || event.Metadata.ResourceVersion == edited.Metadata.ResourceVersion
			if edits && event.Metadata.Labels[p.label] == wanted {
				return time.Since(begun), nil
			}
		case <-limit:
			return 0, fmt.Errorf("the edit of %s was not put right within 30 s", name)
		}
	}
}
