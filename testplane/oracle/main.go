// This file owns the dispatch of `oracle`: small servers and reference programs, chosen
// by the first argument, that the Rust tests start and compare themselves with.

package main

import (
	"flag"
	"fmt"
	"os"
)

var commands = map[string]func(*flag.FlagSet, []string) error{
	"drift-probe": driftProbe,
	"fault-proxy": faultProxy,
	"git-http":    gitHTTP,
	"mutator":     mutator,
	"pki":         pki,
	"pki-client":  pkiClient,
	"raw-apply":   rawApply,
	"tied":        tied,
	"toml":        tomlAnswers,
	"yaml2json":   yamlToJSON,
	"yaml-bench":  yamlBench,
	"yaml-write":  writeYAML,

	"yaml-write-bench": yamlWriteBench,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: oracle drift-probe|fault-proxy|git-http|mutator|pki|pki-client|raw-apply|tied|toml|yaml2json|yaml-bench|yaml-write|yaml-write-bench [ARGUMENT...]")
		os.Exit(2)
	}
	name := os.Args[1]
	if err := commands[name](flag.NewFlagSet(name, flag.ExitOnError), os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "oracle %s: %v\n", name, err)
		os.Exit(1)
	}
}
