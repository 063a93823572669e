import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { loadAllYaml } from "@kubernetes/client-node";
import { Failure } from "../failure.ts";

/** An object as it goes to the API. */
export type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: unknown;
};

/** Answers what kubectl prints, given that on its standard input; throws its words. */
export type Kubectl = (args: readonly string[], input?: string) => Promise<string>;

/** What a folder would install. To render it, and to try it on the server, is kubectl's own job, and the API's client has neither. */
export async function rendered(folder: string): Promise<readonly Manifest[]> {
  return loadAllYaml(await kubectl(["kustomize", folder])) as Manifest[];
}

export const kubectl: Kubectl = async (args, input = "") => {
  const child = spawn("kubectl", args);
  child.stdin.on("error", () => undefined).end(input);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]).catch((error: unknown) => {
    throw new Failure(`kubectl cannot be started: ${(error as Error).message}`, {
      hint: "install it: it renders the folder, and has the server try what would be applied",
    });
  });
  if (code === 0) return stdout;
  throw new Failure(stderr.trim());
};
