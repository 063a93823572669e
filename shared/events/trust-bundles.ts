import { X509Certificate } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Where a SinkBinding mounts the cluster's trust bundles (knative/eventing pkg/eventingtls/trust_bundle.go). */
const MOUNTED_AT = "/knative-custom-certs";
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Read for each request, as they are renewed. As in Knative, what is no certificate is passed over. */
export async function trustBundles(folder = MOUNTED_AT): Promise<readonly string[]> {
  const entries = await readdir(folder).catch((): readonly string[] => []);
  // The names are links to files beside `..data`, which is a folder.
  const texts = await Promise.all(
    entries.map((name) => readFile(join(folder, name), "utf8").catch(() => "")),
  );
  const blocks = texts.flatMap((text) => text.match(PEM) ?? []);
  return [...new Set(blocks)].filter(isCertificate);
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}
