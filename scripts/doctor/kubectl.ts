export type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: unknown;
};

/** Answers what kubectl prints; throws its words. */
export type Kubectl = (args: readonly string[]) => Promise<string>;
