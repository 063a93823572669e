export type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: unknown;
};

/** Answers what kubectl prints, given that on its standard input; throws its words. */
export type Kubectl = (args: readonly string[], input?: string) => Promise<string>;
