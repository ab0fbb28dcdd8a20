// This file owns kwok, which plays the nodes, and the stages it plays: nodes and pods
// become Ready at once, the pods of a Job complete, deleted pods go, claims get volumes.

package main

import (
	_ "embed"
	"os"
	"strings"

	"github.com/spf13/pflag"
	fastnode "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	heartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	fastpod "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/kwok/pkg/config"
	"sigs.k8s.io/kwok/pkg/kwok/cmd"
	"sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"
)

//go:embed volumes.yaml
var volumes string

var stages = strings.Join([]string{
	fastnode.DefaultNodeInit,
	heartbeat.DefaultNodeHeartbeatWithLease,
	fastpod.DefaultPodReady,
	fastpod.DefaultPodComplete,
	fastpod.DefaultPodDelete,
	volumes,
}, "\n---\n")

func kwok() error {
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}
	ctx, _ := log.InitFlags(signals.SetupSignalContext(), flags)
	ctx, err := config.InitFlags(ctx, flags)
	if err != nil {
		return err
	}
	command := cmd.NewCommand(ctx)
	command.Version = "" // its --version and Kubernetes' one do not go together
	command.PersistentFlags().AddFlagSet(flags)
	command.SetArgs(os.Args[1:])
	return command.ExecuteContext(ctx)
}
