import { mkdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { MANIFESTS } from "../../support/manifests.ts";

export const IMAGE = "dev.local/dormouse:dev";
/** As OpenShift gives one: nobody in the image has it. */
export const RANDOM_UID = 1_000_740_000;

type Patch = { readonly target: object; readonly patch: string; readonly options?: object };

export type Wishes = {
  readonly overlay?: string;
  /** For a second installation in the namespace. */
  readonly nameSuffix?: string;
  /** The folder of the claim. */
  readonly volume?: "volume" | "volume-rwo";
  /** Of manifests/components, on top of the overlay. */
  readonly components?: readonly string[];
  /** Variables that the tests want otherwise, by ConfigMap. NAMESPACE stands for the name that the namespace gets. */
  readonly settings?: Readonly<Record<string, readonly string[]>>;
  readonly patches?: readonly Patch[];
  /** What must be in the namespace before the functions are. */
  readonly beforehand?: readonly object[];
};

/** Below the project, since kustomize takes no absolute path. */
const FOLDER = fileURLToPath(new URL("../../../.cluster", import.meta.url));
const KNATIVE_SERVICES = { group: "serving.knative.dev", kind: "Service" };

/** Writes what a person would write to use the manifests, and a few settings that make the tests shorter. */
export async function writeKustomization(namespace: string, wishes: Wishes): Promise<string> {
  const { overlay = "kubernetes", components = [], settings = {}, patches = [], nameSuffix = "" } = wishes;
  const folder = join(FOLDER, namespace + nameSuffix);
  const [newName, newTag] = IMAGE.split(":");
  return writeFolder(folder, {
    namespace,
    nameSuffix,
    resources: [relative(folder, join(MANIFESTS, "overlays", overlay))],
    components: components.map((name) => relative(folder, join(MANIFESTS, "components", name))),
    images: [{ name: "dormouse", newName, newTag }],
    // Tests ping more often than a schedule does.
    configMapGenerator: Object.entries({
      ...settings,
      "dormouse-settings": ["MIN_INTERVAL_MINUTES=0", ...(settings["dormouse-settings"] ?? [])],
    }).map(([name, literals]) => ({
      name,
      behavior: "merge",
      literals: literals.map((literal) => literal.replaceAll("NAMESPACE", namespace)),
    })),
    patches: [...SHORTER, nameOfItsOwn(namespace), ...patches],
  });
}

/** The example application, whose database needs no volume: a cluster of the tests has few, and it lives for minutes. */
export async function writeExample(namespace: string): Promise<string> {
  const folder = join(FOLDER, `${namespace}-example`);
  const claim = { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "postgresql" } };
  const volume = {
    op: "replace",
    path: "/spec/template/spec/volumes/0",
    value: { name: "data", emptyDir: {} },
  };
  return writeFolder(folder, {
    resources: [relative(folder, join(MANIFESTS, "example"))],
    patches: [
      { patch: stringify({ ...claim, $patch: "delete" }) },
      { target: { kind: "StatefulSet" }, patch: stringify([volume]) },
    ],
  });
}

async function writeFolder(folder: string, kustomization: object): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "kustomization.yaml"), stringify(kustomization));
  return folder;
}

/** Pods go to sleep after ten seconds instead of sixty, and run as a user that the image does not know. */
const SHORTER: readonly Patch[] = [
  {
    target: KNATIVE_SERVICES,
    patch: stringify([
      {
        op: "add",
        path: "/spec/template/metadata/annotations/autoscaling.knative.dev~1window",
        value: "10s",
      },
      {
        op: "add",
        path: "/spec/template/spec/containers/0/securityContext/runAsUser",
        value: RANDOM_UID,
      },
    ]),
  },
];

/** Bindings of cluster roles have no namespace, and several installations are there at once. */
function nameOfItsOwn(namespace: string): Patch {
  return {
    target: { kind: "ClusterRoleBinding" },
    options: { allowNameChange: true },
    patch: stringify([{ op: "replace", path: "/metadata/name", value: clusterRoleBinding(namespace) }]),
  };
}

export function clusterRoleBinding(namespace: string): string {
  return `${namespace}-asks-who-calls`;
}
