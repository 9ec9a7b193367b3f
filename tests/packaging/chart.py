"""Renders the Helm chart with Helm's own engine, and checks the manifests against the schemas of Kubernetes.

Needs PyYAML, kubernetes-validate and helm-python-sdk, which has Helm as a library.
"""

import pathlib
import sys

import kubernetes_validate
import yaml
from helm_python import chart as helm
from helm_python.errors import HelmError

PACKAGING = pathlib.Path(__file__).parents[2] / "packaging"
VERSIONS = ["1.29", "1.32"]
CONFIGURATION = (PACKAGING / "kustomize/example/gateway.toml").read_text()
SHARED = CONFIGURATION + '\n[store]\nkind = "redis"\nurl = "redis://store:6379"\n'

# Values that a chart is installed with, and the kinds that they add to or remove from the usual ones.
USUAL = ["ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "Service", "Service", "ServiceAccount", "StatefulSet"]
RENDERED = {
    "the configuration alone": ({"configuration": CONFIGURATION}, USUAL),
    "a ConfigMap that exists": ({"existingConfigMap": "mine"}, USUAL[1:]),
    "several gateways": ({"configuration": SHARED, "replicas": 3}, USUAL),
    "everything": (
        {
            "configuration": CONFIGURATION,
            "image": {"repository": "example.com/t", "tag": "1", "pullPolicy": "Always"},
            "imagePullSecrets": [{"name": "registry"}],
            "service": {"type": "LoadBalancer", "port": 8443, "annotations": {"a": "b"}},
            "persistence": {"enabled": False},
            "env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "legacy", "key": "key"}}}],
            "envFrom": [{"secretRef": {"name": "legacy"}}],
            "volumes": [{"name": "tls", "secret": {"secretName": "tls"}}],
            "volumeMounts": [{"name": "tls", "mountPath": "/etc/tls", "readOnly": True}],
            "networkPolicy": {"enabled": False},
            "podDisruptionBudget": {"enabled": False},
            "serviceAccount": {"annotations": {"a": "b"}},
            "podAnnotations": {"a": "b"},
            "podLabels": {"a": "b"},
            "nodeSelector": {"a": "b"},
            "tolerations": [{"key": "a", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
            ],
            "priorityClassName": "high",
        },
        ["ConfigMap", "Service", "Service", "ServiceAccount", "StatefulSet"],
    ),
}
# Values that are refused, and a part of the reason.
REFUSED = {
    "no configuration": ({}, "--set-file configuration=gateway.toml"),
    "several gateways without a shared store": ({"configuration": CONFIGURATION, "replicas": 2}, "shared store"),
    "an unknown value": ({"configuration": CONFIGURATION, "replica": 1}, "replica"),
    "a port that is text": ({"configuration": CONFIGURATION, "ports": {"https": "x"}}, "https"),
}


def documents(chart, values, release="api"):
    rendered = chart.render(values, name=release, namespace="shop")
    texts = [text for path, text in sorted(rendered.items()) if path.endswith(".yaml")]
    return [document for text in texts for document in yaml.safe_load_all(text) if document]


def find(found, kind):
    return next(document for document in found if document["kind"] == kind)


def check(found, kinds):
    assert sorted(document["kind"] for document in found) == kinds, [document["kind"] for document in found]
    for document in found:
        for version in VERSIONS:
            kubernetes_validate.validate(document, version, strict=True)
    spec = find(found, "StatefulSet")["spec"]
    labels, pod = spec["template"]["metadata"]["labels"], spec["template"]["spec"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    ports = {port["name"] for port in pod["containers"][0]["ports"]}
    services = [document for document in found if document["kind"] == "Service"]
    for service in services:
        assert service["spec"]["selector"].items() <= labels.items()
        targets = {port["targetPort"] for port in service["spec"]["ports"]}
        assert targets <= ports, f"{service['metadata']['name']}: {targets} are not all ports of the container"
    assert spec["serviceName"] in {service["metadata"]["name"] for service in services}
    mounted = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    claims = {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])}
    assert mounted == claims | {volume["name"] for volume in pod["volumes"]}
    return pod


def compare_with_kustomize(pod):
    """The pod of the chart is the one of the kustomize base, except for names and the image."""
    base = yaml.safe_load((PACKAGING / "kustomize/base/statefulset.yaml").read_text())
    wanted = base["spec"]["template"]["spec"]
    for spec in (wanted, pod):
        spec["containers"][0].pop("image")
        spec["containers"][0].pop("imagePullPolicy", None)
        spec.pop("serviceAccountName")
        spec["volumes"][0]["configMap"].pop("name")
    assert pod == wanted, f"{pod}\n{wanted}"


def main():
    folder = PACKAGING / "helm"
    report = helm.lint(folder, {"configuration": CONFIGURATION}, strict=True)
    # The only remark is that the chart has no icon.
    remarks = [message for message in report["messages"] if message["severity"] > 1]
    assert not remarks and not report["errors"], report
    chart = helm.Chart.load(folder)
    for what, (values, kinds) in RENDERED.items():
        chart.validate_schema(values)
        found = documents(chart, values)
        try:
            pod = check(found, kinds)
        except (AssertionError, kubernetes_validate.ValidationError) as error:
            sys.exit(f"the chart with {what}: {error}")
        if what == "the configuration alone":
            assert find(found, "ConfigMap")["data"]["gateway.toml"] == CONFIGURATION
            compare_with_kustomize(pod)
    names = {document["metadata"]["name"] for document in documents(chart, RENDERED["several gateways"][0], "tollgate")}
    assert names == {"tollgate", "tollgate-gateways"}, names
    for what, (values, reason) in REFUSED.items():
        try:
            chart.validate_schema(values)
            documents(chart, values)
        except HelmError as error:
            assert reason in str(error), f"{what}: {error}"
        else:
            sys.exit(f"the chart accepts {what}")
    print(f"the chart fits the schemas of Kubernetes {', '.join(VERSIONS)} with {len(RENDERED)} sets of values")


main()
