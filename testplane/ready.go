// This file owns the answer to "can the plane be used?": it waits for the API server, and
// then for what a first namespace needs.

package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	core "k8s.io/api/core/v1"
	storage "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// ready waits until /readyz is fine; with --nodes also until that many nodes are Ready,
// and the default ServiceAccount exists. It creates what somebody sets up in a cluster
// before its first use, for kwok to play: the nodes and a class of volumes.
func ready() error {
	kubeconfig := flag.String("kubeconfig", "", "whom to ask")
	nodes := flag.Int("nodes", 0, "how many nodes there shall be")
	timeout := flag.Duration("timeout", time.Minute, "when to give up")
	flag.Parse()

	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()

	err = until(ctx, func() error {
		return client.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
	if err != nil || *nodes == 0 {
		return err
	}
	for index := range *nodes {
		name := fmt.Sprintf("node-%d", index)
		if _, err := client.CoreV1().Nodes().Create(ctx, node(name), meta.CreateOptions{}); err != nil && !errors.IsAlreadyExists(err) {
			return err
		}
		if err := until(ctx, func() error { return nodeReady(ctx, client, name) }); err != nil {
			return err
		}
	}
	if _, err := client.StorageV1().StorageClasses().Create(ctx, class(), meta.CreateOptions{}); err != nil && !errors.IsAlreadyExists(err) {
		return err
	}
	return until(ctx, func() error {
		_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", meta.GetOptions{})
		return err
	})
}

// until tries again until it works or the time is up, and then returns the last reason.
func until(ctx context.Context, try func() error) error {
	for {
		reason := try()
		if reason == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready in time: %w", reason)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func node(name string) *core.Node {
	return &core.Node{ObjectMeta: meta.ObjectMeta{
		Name:        name,
		Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
		Labels:      map[string]string{"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
	}}
}

func class() *storage.StorageClass {
	return &storage.StorageClass{
		ObjectMeta: meta.ObjectMeta{
			Name:        "standard",
			Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		Provisioner: "plumb.dev/plane",
	}
}

func nodeReady(ctx context.Context, client kubernetes.Interface, name string) error {
	node, err := client.CoreV1().Nodes().Get(ctx, name, meta.GetOptions{})
	if err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		// The scheduler minds the taint, which goes a moment after the condition comes.
		if condition.Type == core.NodeReady && condition.Status == core.ConditionTrue && len(node.Spec.Taints) == 0 {
			return nil
		}
	}
	return fmt.Errorf("node %s is not Ready", name)
}
