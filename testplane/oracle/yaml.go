// This file owns the reference answers about YAML: what sigs.k8s.io/yaml makes of a
// document, and how fast.

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"sigs.k8s.io/yaml"
)

// yamlToJSON reads documents, each after a line that tells its length in bytes, and
// answers each with a line `{"json": TEXT}` or `{"error": TEXT}`.
func yamlToJSON(_ *flag.FlagSet, _ []string) error {
	in, answers := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	answers.SetEscapeHTML(false)
	for {
		var length int
		if _, err := fmt.Fscanf(in, "%d\n", &length); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		document := make([]byte, length)
		if _, err := io.ReadFull(in, document); err != nil {
			return err
		}
		if err := answers.Encode(answer(document)); err != nil {
			return err
		}
	}
}

type yamlAnswer struct {
	JSON  *string `json:"json,omitempty"`
	Error *string `json:"error,omitempty"`
}

func answer(document []byte) (given yamlAnswer) {
	// The library panics on some inputs; that is an answer too.
	defer func() {
		if reason := recover(); reason != nil {
			text := fmt.Sprintf("panic: %v", reason)
			given = yamlAnswer{Error: &text}
		}
	}()
	converted, err := yaml.YAMLToJSON(document)
	if err != nil {
		text := err.Error()
		return yamlAnswer{Error: &text}
	}
	text := string(converted)
	return yamlAnswer{JSON: &text}
}

// yamlBench prints how many megabytes (10^6 bytes) of a file's documents the library
// turns into JSON in a second on one thread: the best of the rounds.
func yamlBench(flags *flag.FlagSet, arguments []string) error {
	rounds := flags.Int("rounds", 3, "how often to read the file")
	_ = flags.Parse(arguments)
	if flags.NArg() != 1 {
		return fmt.Errorf("names one FILE")
	}
	content, err := os.ReadFile(flags.Arg(0))
	if err != nil {
		return err
	}
	documents := bytes.Split(content, []byte("\n---\n"))
	var best float64
	for range *rounds {
		start := time.Now()
		for _, document := range documents {
			if _, err := yaml.YAMLToJSON(document); err != nil {
				return err
			}
		}
		best = max(best, float64(len(content))/1e6/time.Since(start).Seconds())
	}
	fmt.Printf("%.3f\n", best)
	return nil
}
