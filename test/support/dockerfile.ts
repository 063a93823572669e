import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const DOCKERFILE = fileURLToPath(new URL("../../Dockerfile", import.meta.url));

/** What stands behind an instruction, each time it is there. */
export async function instructions(name: string): Promise<readonly string[]> {
  const lines = (await readFile(DOCKERFILE, "utf8")).split("\n");
  return lines
    .filter((line) => line.startsWith(`${name} `))
    .map((line) => line.slice(name.length + 1).trim());
}

/** The environment that the image gives to every container. */
export async function imageEnvironment(): Promise<Readonly<Record<string, string>>> {
  const pairs = (await instructions("ENV")).flatMap((line) => line.split(" "));
  return Object.fromEntries(pairs.map((pair) => pair.split("=", 1).concat(pair.replace(/^[^=]*=/, ""))));
}
