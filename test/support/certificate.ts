import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";

/** A server's key and certificate, and the authority that signed it: which is not trusted by itself. */
export type Certified = { readonly key: string; readonly cert: string; readonly ca: string };

/** For `localhost`, 127.0.0.1 and `sink.test`. */
export async function certified(folder: string): Promise<Certified> {
  const [ca, caKey, cert, key] = ["ca.pem", "ca.key", "cert.pem", "key.pem"].map((name) =>
    join(folder, name),
  );
  const names = "subjectAltName=DNS:localhost,DNS:sink.test,IP:127.0.0.1";
  await certificate(["-subj", "/CN=an authority", "-keyout", caKey, "-out", ca]);
  const signed = ["-CA", ca, "-CAkey", caKey, "-keyout", key, "-out", cert];
  await certificate(["-subj", "/CN=localhost", "-addext", names, ...signed]);
  const [keyText, certText, caText] = await Promise.all([key, cert, ca].map(read));
  return { key: keyText ?? "", cert: certText ?? "", ca: caText ?? "" };
}

async function certificate(args: readonly (string | undefined)[]): Promise<void> {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  await execa("openssl", ["req", "-x509", "-nodes", ...curve, ...args.map(String)]);
}

function read(path = ""): Promise<string> {
  return readFile(path, "utf8");
}
