// This file owns rendering with Helm's library: one chart again and again to see how
// fast, and many small ones to see what they come to.

package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/cli/values"
	"helm.sh/helm/v4/pkg/engine"
	"helm.sh/helm/v4/pkg/getter"
	release "helm.sh/helm/v4/pkg/release/v1"
)

// rendered returns what `helm template rel CHART -n ns --include-crds` prints.
func rendered(loaded *chart.Chart, given map[string]any, version string) (string, error) {
	client := action.NewInstall(action.NewConfiguration())
	client.DryRunStrategy = action.DryRunClient
	client.ReleaseName, client.Namespace = "rel", "ns"
	client.Replace, client.IncludeCRDs = true, true
	if version != "" {
		parsed, err := common.ParseKubeVersion(version)
		if err != nil {
			return "", err
		}
		client.KubeVersion = parsed
	}
	made, err := client.Run(loaded, given)
	if err != nil {
		return "", err
	}
	known, ok := made.(*release.Release)
	if !ok {
		return "", fmt.Errorf("a release of another kind: %T", made)
	}
	var out strings.Builder
	fmt.Fprintln(&out, strings.TrimSpace(known.Manifest))
	for _, hook := range known.Hooks {
		fmt.Fprintf(&out, "---\n# Source: %s\n%s\n", hook.Path, hook.Manifest)
	}
	return out.String(), nil
}

// renderBench prints the median time in milliseconds that one render of a chart takes
// that has been loaded.
func renderBench(arguments []string) error {
	flags := flag.NewFlagSet("render-bench", flag.ExitOnError)
	rounds := flags.Int("rounds", 10, "how often to render")
	_ = flags.Parse(arguments)
	if flags.NArg() != 1 {
		return fmt.Errorf("names one CHART")
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	var times []time.Duration
	for range *rounds {
		// A render changes the chart, so each one has its own.
		loaded, err := loader.Load(flags.Arg(0))
		if err != nil {
			return err
		}
		begun := time.Now()
		if _, err := rendered(loaded, map[string]any{}, "1.34.0"); err != nil {
			return err
		}
		times = append(times, time.Since(begun))
	}
	slices.Sort(times)
	fmt.Printf("%.3f\n", float64(times[len(times)/2].Microseconds())/1e3)
	return nil
}

// question is one chart, as a line of JSON.
type question struct {
	// Files by path. Without a Chart.yaml the chart is called `c`.
	Files map[string]string `json:"files"`
	// Values files, later ones over earlier ones.
	Values []string `json:"values"`
	// Arguments of `--set`.
	Set []string `json:"set"`
	// Whether only the templates are executed: then the answer is what one of them wrote.
	Template string `json:"template"`
}

type reply struct {
	Text  *string `json:"text,omitempty"`
	Error *string `json:"error,omitempty"`
}

// answerCharts reads charts, one a line, and answers each with a line `{"text": TEXT}`
// or `{"error": TEXT}`.
func answerCharts(_ []string) error {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	in, answers := bufio.NewReaderSize(os.Stdin, 1<<20), json.NewEncoder(os.Stdout)
	answers.SetEscapeHTML(false)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		var asked question
		if err := json.Unmarshal(line, &asked); err != nil {
			return err
		}
		given := reply{}
		if text, err := answered(asked); err != nil {
			message := err.Error()
			given.Error = &message
		} else {
			given.Text = &text
		}
		if err := answers.Encode(given); err != nil {
			return err
		}
	}
}

func answered(asked question) (text string, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	if _, found := asked.Files["Chart.yaml"]; !found {
		asked.Files["Chart.yaml"] = "apiVersion: v2\nname: c\nversion: 1.0.0\n"
	}
	var files []*archive.BufferedFile
	for name, content := range asked.Files {
		files = append(files, &archive.BufferedFile{Name: name, Data: []byte(content)})
	}
	slices.SortFunc(files, func(a, b *archive.BufferedFile) int { return strings.Compare(a.Name, b.Name) })
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return "", err
	}
	given, err := layered(asked)
	if err != nil {
		return "", err
	}
	if asked.Template == "" {
		return rendered(loaded, given, "")
	}
	known, err := util.ToRenderValues(loaded, given, common.ReleaseOptions{Name: "rel", Namespace: "ns", Revision: 1, IsInstall: true}, common.DefaultCapabilities)
	if err != nil {
		return "", err
	}
	outputs, err := engine.Render(loaded, known)
	if err != nil {
		return "", err
	}
	return outputs[loaded.Name()+"/"+asked.Template], nil
}

// layered returns the values that a question gives, as the command reads them: arguments
// are set into what the files came to.
func layered(asked question) (map[string]any, error) {
	folder, err := os.MkdirTemp("", "values")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	options := values.Options{Values: asked.Set}
	for nth, file := range asked.Values {
		path := filepath.Join(folder, fmt.Sprintf("%d.yaml", nth))
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			return nil, err
		}
		options.ValueFiles = append(options.ValueFiles, path)
	}
	return options.MergeValues(getter.Providers{})
}
