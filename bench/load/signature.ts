/** The client's side of signing, apart from the code under test. */
export class Signature {
  readonly #hmac: Bun.CryptoHasher;

  constructor(secret: string) {
    this.#hmac = new Bun.CryptoHasher("sha256", secret);
  }

  of(text: string): string {
    return this.#hmac.copy().update(text).digest("hex");
  }
}
