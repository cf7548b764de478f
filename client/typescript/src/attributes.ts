import { inspect } from "node:util";

import type { Access } from "./access.js";
import type { CallOptions } from "./connection.js";
import * as v1 from "./gen/sessiond/v1/attribute_service.js";
import { AT_ONCE, inParts, type Kept, parts } from "./kept.js";

const { AttributeServiceService: service } = v1;

/** A value under a key. One that is read shows its key alone when it is printed or serialized. */
export interface Attribute {
  /** 1 to 256 bytes of printable ASCII, the blank among them. */
  readonly key: string;
  /** At most 64 KiB. */
  readonly value: Uint8Array;
  /** Whether the value is as secret as an authorization key. One that is secret stays so, until it is deleted. */
  readonly secret?: boolean | undefined;
  /** Whether there is a value, also where only keys are told. Always set in answers. */
  readonly hasValue?: boolean | undefined;
}

/** What a put of attributes may be given. */
export interface PutAttributesOptions extends CallOptions {
  /** Keys of attributes to delete in the same commit. Those that are not there do not matter. */
  readonly deleteKeys?: readonly string[] | undefined;
}

/** Which attributes to list. All, unless something is set. */
export interface AttributeFilter extends CallOptions {
  /** Only those whose keys begin with this. */
  readonly prefix?: string | undefined;
  /** Leave the values out: they are empty then. */
  readonly keysOnly?: boolean | undefined;
}

/**
 * The attributes of a held session. They are kept beside it: writing them moves no revision of it, and no watcher is
 * told. docs/attributes.md has the keys that libraries share. Every method fails as those of `HeldSession` do.
 */
export class Attributes {
  readonly #access: Access;

  /** @internal */
  constructor(access: Access) {
    this.#access = access;
  }

  /**
   * Sets attributes and deletes others, in one commit: together at most 1,000, and 1 MiB. To do it again changes
   * nothing.
   *
   * @returns the store's revision after it
   */
  async put(attributes: readonly Attribute[], options?: PutAttributesOptions): Promise<bigint> {
    const request = { attributes: attributes.map(toWire), deleteKeys: [...(options?.deleteKeys ?? [])] };
    return (await this.#access.call(service.putAttributes, request, options)).revision;
  }

  /** Reads attributes: those of the keys that are there, in the order of the keys. */
  async get(keys: readonly string[], options?: CallOptions): Promise<Attribute[]> {
    const found: Attribute[] = [];
    for (const some of parts(keys)) {
      const { attributes } = await this.#access.call(service.getAttributes, { keys: some }, options);
      found.push(...attributes.map(fromWire));
    }
    return found;
  }

  /** The attributes that a filter lets through, by key. Pages are asked for as it is read, each as it is then. */
  async *list(filter: AttributeFilter = {}): AsyncGenerator<Attribute, void, undefined> {
    const { prefix = "", keysOnly = false, ...options } = filter;
    let pageToken = "";
    do {
      const request = { prefix, keysOnly, pageSize: AT_ONCE, pageToken };
      const page = await this.#access.call(service.listAttributes, request, options);
      yield* page.attributes.map(fromWire);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }

  /** Deletes attributes by their keys. Those that are not there do not matter. */
  async delete(keys: readonly string[], options?: CallOptions): Promise<Kept> {
    return inParts(parts(keys), (some) => this.#delete({ keys: some, prefix: "" }, options));
  }

  /** Deletes all attributes whose keys begin with `prefix`, which is not empty. */
  async deleteBelow(prefix: string, options?: CallOptions): Promise<Kept> {
    return this.#delete({ keys: [], prefix }, options);
  }

  async #delete(which: { keys: string[]; prefix: string }, options: CallOptions | undefined): Promise<Kept> {
    const { revision, deleted } = await this.#access.call(service.deleteAttributes, which, options);
    return { revision, changed: deleted };
  }
}

/** An attribute that was read. It is plain data, but for how it is shown. */
class StoredAttribute implements Attribute {
  constructor(
    readonly key: string,
    readonly value: Uint8Array,
    readonly secret: boolean,
    readonly hasValue: boolean,
  ) {}

  toJSON(): unknown {
    return { key: this.key };
  }

  [inspect.custom](): string {
    return `Attribute(${this.key})`;
  }
}

function toWire({ key, value, secret = false }: Attribute): v1.Attribute {
  return { key, value: Buffer.from(value), secret, hasValue: false };
}

function fromWire({ key, value, secret, hasValue }: v1.Attribute): Attribute {
  return new StoredAttribute(key, value, secret, hasValue);
}
