// This file owns the reference answers about writing YAML: what sigs.k8s.io/yaml and
// go-yaml v3 make of a value, and how fast.

package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"sigs.k8s.io/yaml"
	yaml3 "sigs.k8s.io/yaml/goyaml.v3"
)

// The encoders that are asked.
var yamlWriters = []struct {
	name  string
	write func(any) ([]byte, error)
}{
	{"v2", yaml.Marshal},
	{"pretty", func(value any) ([]byte, error) { return encode3(value, 2, false) }},
	{"wide", func(value any) ([]byte, error) { return encode3(value, 4, false) }},
	{"compact", func(value any) ([]byte, error) { return encode3(value, 2, true) }},
}

func encode3(value any, indent int, compact bool) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml3.NewEncoder(&out)
	encoder.SetIndent(indent)
	if compact {
		encoder.CompactSeqIndent()
	}
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// writeYAML reads values as JSON, one a line, and answers each with a line that has, by
// encoder, `{"text": TEXT}` or `{"error": TEXT}`. Numbers without point and exponent are
// integers; `{"$hex": DIGITS}` is a string of those bytes, as a key `$hex:DIGITS`.
func writeYAML(_ *flag.FlagSet, _ []string) error {
	in, answers := bufio.NewReaderSize(os.Stdin, 1<<20), json.NewEncoder(os.Stdout)
	answers.SetEscapeHTML(false)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.UseNumber()
		var value any
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		if value, err = meant(value); err != nil {
			return err
		}
		given := map[string]map[string]string{}
		for _, writer := range yamlWriters {
			if text, err := written(writer.write, value); err != nil {
				given[writer.name] = map[string]string{"error": err.Error()}
			} else {
				given[writer.name] = map[string]string{"text": string(text)}
			}
		}
		if err := answers.Encode(given); err != nil {
			return err
		}
	}
}

func written(write func(any) ([]byte, error), value any) (text []byte, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	return write(value)
}

// meant turns numbers and byte strings to what they stand for.
func meant(value any) (any, error) {
	switch value := value.(type) {
	case json.Number:
		if whole, err := strconv.ParseInt(string(value), 10, 64); err == nil {
			return whole, nil
		}
		if whole, err := strconv.ParseUint(string(value), 10, 64); err == nil {
			return whole, nil
		}
		return value.Float64()
	case []any:
		for at := range value {
			item, err := meant(value[at])
			if err != nil {
				return nil, err
			}
			value[at] = item
		}
		return value, nil
	case map[string]any:
		if digits, ok := value["$hex"].(string); ok && len(value) == 1 {
			text, err := hex.DecodeString(digits)
			return string(text), err
		}
		fields := map[string]any{}
		for key, field := range value {
			field, err := meant(field)
			if err != nil {
				return nil, err
			}
			if digits, found := bytes.CutPrefix([]byte(key), []byte("$hex:")); found {
				text, err := hex.DecodeString(string(digits))
				if err != nil {
					return nil, err
				}
				key = string(text)
			}
			fields[key] = field
		}
		return fields, nil
	}
	return value, nil
}

// yamlWriteBench prints how many megabytes (10^6 bytes) of YAML the library writes in a
// second on one thread, from the values of a file's documents: the best of the rounds.
func yamlWriteBench(flags *flag.FlagSet, arguments []string) error {
	rounds := flags.Int("rounds", 3, "how often to write the file")
	_ = flags.Parse(arguments)
	if flags.NArg() != 1 {
		return fmt.Errorf("names one FILE")
	}
	content, err := os.ReadFile(flags.Arg(0))
	if err != nil {
		return err
	}
	var values []any
	for _, document := range bytes.Split(content, []byte("\n---\n")) {
		var value any
		if err := yaml.Unmarshal(document, &value); err != nil {
			return err
		}
		values = append(values, value)
	}
	var best float64
	for range *rounds {
		start, size := time.Now(), 0
		for _, value := range values {
			text, err := yaml.Marshal(value)
			if err != nil {
				return err
			}
			size += len(text)
		}
		best = max(best, float64(size)/1e6/time.Since(start).Seconds())
	}
	fmt.Printf("%.3f\n", best)
	return nil
}
