"""Checks the Kubernetes manifests against the API's schemas, and that the parts fit together.

It does what kustomize does to the base: the common labels become selectors. Needs PyYAML and kubernetes-validate.
"""

import pathlib
import sys

import kubernetes_validate
import yaml

BASE = pathlib.Path(__file__).parents[2] / "packaging/kustomize/base"
VERSIONS = ["1.29", "1.32"]


def manifests():
    kustomization = yaml.safe_load((BASE / "kustomization.yaml").read_text())
    labels = kustomization["labels"][0]["pairs"]
    listed = set(kustomization["resources"])
    present = {path.name for path in BASE.glob("*.yaml")} - {"kustomization.yaml"}
    assert listed == present, f"kustomization.yaml lists {listed}, the folder has {present}"
    for name in sorted(listed):
        for document in yaml.safe_load_all((BASE / name).read_text()):
            document["metadata"].setdefault("labels", {}).update(labels)
            spec = document.get("spec", {})
            match document["kind"]:
                case "StatefulSet":
                    spec["selector"] = {"matchLabels": dict(labels)}
                    spec["template"]["metadata"].setdefault("labels", {}).update(labels)
                case "Service":
                    spec["selector"] = dict(labels)
                case "NetworkPolicy":
                    spec["podSelector"] = {"matchLabels": dict(labels)}
                case "PodDisruptionBudget":
                    spec["selector"] = {"matchLabels": dict(labels)}
            yield name, document


def main():
    kinds = {}
    for name, document in manifests():
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                sys.exit(f"{name}: {document['kind']} is not valid for Kubernetes {version}: {error.message}")
        kinds.setdefault(document["kind"], []).append(document)
    pod = kinds["StatefulSet"][0]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    ports = {port["name"] for port in container["ports"]}
    for service in kinds["Service"]:
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in ports, f"{port['targetPort']} is no port of the container"
    names = {service["metadata"]["name"] for service in kinds["Service"]}
    assert kinds["StatefulSet"][0]["spec"]["serviceName"] in names
    assert pod["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
    print(f"{sum(map(len, kinds.values()))} manifests fit the schemas of Kubernetes {', '.join(VERSIONS)}")


main()
