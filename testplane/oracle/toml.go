// This file owns the reference answers about TOML: what BurntSushi's library, which Helm
// uses, makes of documents and values.

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/BurntSushi/toml"
)

// tomlAnswers reads questions, one a line: `{"toml": TEXT}` is read and answered with
// `json` and, written again, `toml`; `{"value": VALUE}` is answered with `toml`, written
// of it with whole numbers as integers. Errors are told in place of the text, as in
// templates.
func tomlAnswers(_ *flag.FlagSet, _ []string) error {
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
		var question struct {
			TOML  *string `json:"toml"`
			Value any     `json:"value"`
		}
		if err := decoder.Decode(&question); err != nil {
			return err
		}
		given := map[string]string{}
		if question.TOML != nil {
			read := map[string]any{}
			if err := toml.Unmarshal([]byte(*question.TOML), &read); err != nil {
				read["Error"] = err.Error()
			}
			text, _ := json.Marshal(read)
			given["json"], given["toml"] = string(text), tomlOf(read)
		} else if value, err := meant(question.Value); err != nil {
			return err
		} else {
			given["toml"] = tomlOf(value)
		}
		if err := answers.Encode(given); err != nil {
			return err
		}
	}
}

func tomlOf(value any) (text string) {
	var out bytes.Buffer
	// Reflection panics on no value at all.
	defer func() {
		if reason := recover(); reason != nil {
			text = fmt.Sprintf("panic: %v", reason)
		}
	}()
	if err := toml.NewEncoder(&out).Encode(value); err != nil {
		return err.Error()
	}
	return out.String()
}
