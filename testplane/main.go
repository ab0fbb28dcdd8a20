// This file owns the dispatch of `plane-kube`: one binary that is, by its first
// argument, any part of a Kubernetes control plane, kubectl, or kwok.

package main

import (
	"errors"
	"fmt"
	"os"
	_ "time/tzdata" // CronJobs name time zones, and the machine may have none installed.

	"github.com/spf13/cobra"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

const usage = "usage: plane-kube etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kwok|kwok-stages|kubectl|ready [ARGUMENT...]"

func main() {
	if len(os.Args) < 2 {
		report(errors.New(usage))
	}
	name := os.Args[1]
	// Each part reads os.Args itself, as if it were its own program.
	os.Args = append([]string{name}, os.Args[2:]...)
	switch name {
	case "etcd":
		report(etcd())
	case "kube-apiserver":
		serve(apiserver.NewAPIServerCommand())
	case "kube-controller-manager":
		serve(controllermanager.NewControllerManagerCommand())
	case "kube-scheduler":
		serve(scheduler.NewSchedulerCommand())
	case "kwok":
		endWithParent()
		report(kwok())
	case "kwok-stages":
		fmt.Print(stages)
	case "kubectl":
		kubectl()
	case "ready":
		report(ready())
	default:
		report(errors.New(usage))
	}
}

func serve(command *cobra.Command) {
	endWithParent()
	os.Exit(cli.Run(command))
}

func report(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
