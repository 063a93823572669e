import { execa } from "execa";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments, stringify } from "yaml";
import { temporaryFolder } from "./volume.ts";

/** An object as it goes to the API. */
export type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: unknown;
  readonly [field: string]: unknown;
};

export type Container = {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: {
      readonly configMapKeyRef?: { readonly name: string; readonly key: string; readonly optional?: boolean };
    };
  }[];
  readonly envFrom?: readonly {
    readonly configMapRef?: { readonly name: string };
    readonly secretRef?: { readonly name: string };
  }[];
};

export const MANIFESTS = fileURLToPath(new URL("../../manifests", import.meta.url));

/** The folders that install the functions. */
export async function installable(): Promise<readonly string[]> {
  const overlays = await readdir(join(MANIFESTS, "overlays"));
  return ["base", ...overlays.toSorted().map((name) => `overlays/${name}`)];
}

/** The folders that a person may apply. */
export async function applicable(): Promise<readonly string[]> {
  return ["example", "volume", "volume-rwo", ...(await installable())];
}

/** Why manifests cannot be rendered on this machine, if they cannot. */
export async function lackOfKubectl(): Promise<string | undefined> {
  const { failed } = await execa("kubectl", ["version", "--client"], { reject: false });
  return failed ? "kubectl is not installed" : undefined;
}

/** What `kubectl apply -k` would send, of a folder of the manifests or any other. */
export async function render(folder: string): Promise<readonly Manifest[]> {
  const { stdout } = await execa("kubectl", ["kustomize", resolve(MANIFESTS, folder)]);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
}

/** The same of a kustomization of a person's own, which stands beside a folder `manifests`. */
export async function rendered(kustomization: object): Promise<readonly Manifest[]> {
  await using folder = await temporaryFolder();
  await symlink(MANIFESTS, join(folder.path, "manifests"));
  await mkdir(join(folder.path, "deploy"));
  await writeFile(join(folder.path, "deploy/kustomization.yaml"), stringify(kustomization));
  return await render(join(folder.path, "deploy"));
}

/** The containers of an object, wherever its kind keeps them. */
export function containersOf(manifest: Manifest): readonly Container[] {
  const found: Container[] = [];
  walk(manifest, (key, value) => {
    if (key === "containers" && Array.isArray(value)) found.push(...(value as Container[]));
  });
  return found;
}

function walk(value: unknown, visit: (key: string, value: unknown) => void): void {
  if (typeof value !== "object" || value === null) return;
  for (const [key, each] of Object.entries(value)) {
    visit(key, each);
    walk(each, visit);
  }
}
