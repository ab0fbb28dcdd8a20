// This file owns the dispatch of `helm-oracle`: what Helm's library makes of charts and
// templates, and how fast.

package main

import (
	"fmt"
	"os"
)

var commands = map[string]func([]string) error{
	"charts":       answerCharts,
	"render-bench": renderBench,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: helm-oracle charts|render-bench [ARGUMENT...]")
		os.Exit(2)
	}
	name := os.Args[1]
	if err := commands[name](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "helm-oracle %s: %v\n", name, err)
		os.Exit(1)
	}
}
