// Looks at the pages of an LMDB file before LMDB does, which trusts them: a file that was cut short or changed would end the process
// and not only the start (LMDB data format 2 of lmdb 3.5; page header 24 bytes, little-endian). Contents of values have checksums
// of their own.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { StoreError } from './store-error.js'

const HEADER = 24
const FORMAT = 2
const BRANCH = 1
const LEAF = 2
const OVERFLOW = 4
const KINDS = 0x1f
/** Node flags. */
const BIG = 1
const NODE = 8
/** Where a meta page has what. */
const Meta = { PAGE_SIZE: 48, FREE: 48, MAIN: 96, LAST: 144, TRANSACTION: 152, SIZE: 160 } as const
/** And of a tree: its depth, entries and root. */
const Tree = { DEPTH: 6, ENTRIES: 32, ROOT: 40 } as const
const NO_ROOT = 0xffff_ffff_ffff_ffffn
const MOST_DEPTH = 32

class Pages {
  private readonly file: number
  private readonly pageSize: number
  private readonly last: number
  private readonly seen: Uint8Array
  private entries = 0
  /** The key before, and whether it was only what separates two pages. */
  private before: Buffer = Buffer.alloc(0)
  private wasSeparator = false
  private readonly isOrdered: boolean

  constructor(file: number, pageSize: number, last: number, seen: Uint8Array, isOrdered: boolean) {
    this.file = file
    this.pageSize = pageSize
    this.last = last
    this.seen = seen
    this.isOrdered = isOrdered
  }

  /** Checks a tree with this root, which is `depth` levels deep and has `entries` entries. */
  check(root: bigint, depth: number, entries: bigint): void {
    if (root === NO_ROOT) return
    if (depth < 1 || depth > MOST_DEPTH) throw damage('a tree of pages is impossibly deep')
    this.visit(this.number(root), depth)
    if (BigInt(this.entries) !== entries) throw damage('entries are missing')
  }

  private number(page: bigint): number {
    if (page < 2n || page > BigInt(this.last)) throw damage('a page is referred to that is not there')
    return Number(page)
  }

  private read(number: number): Buffer {
    if (this.seen[number] !== 0) throw damage('a page is used twice')
    this.seen[number] = 1
    const page = Buffer.allocUnsafe(this.pageSize)
    if (readSync(this.file, page, 0, this.pageSize, number * this.pageSize) < this.pageSize)
      throw damage('the file has been cut short')
    if (page.readBigUInt64LE(0) !== BigInt(number)) throw damage('a page is not what it should be')
    return page
  }

  private visit(number: number, depth: number): void {
    const page = this.read(number)
    const kind = page.readUInt16LE(18) & KINDS
    const lower = page.readUInt16LE(20)
    const upper = page.readUInt16LE(22)
    const room = this.pageSize - HEADER
    if (kind !== (depth === 1 ? LEAF : BRANCH) || lower % 2 === 1 || lower > upper || upper > room)
      throw damage('a page is not what it should be')
    for (let at = 0; at < lower; at += 2) {
      const start = page.readUInt16LE(HEADER + at)
      if (start < upper || start + NODE > room) throw damage('a page refers to something outside of it')
      this.node(page, HEADER + start, depth, at === 0)
    }
  }

  private node(page: Buffer, start: number, depth: number, isFirst: boolean): void {
    const low = page.readUInt32LE(start)
    const flags = page.readUInt16LE(start + 4)
    const keyStart = start + NODE
    const keyEnd = keyStart + page.readUInt16LE(start + 6)
    if (keyEnd > this.pageSize) throw damage('a key does not fit in its page')
    const key = page.subarray(keyStart, keyEnd)
    if (depth > 1) {
      // The first of a branch page has no key.
      if (!isFirst) this.order(key, true)
      this.visit(this.number(BigInt(low) | (BigInt(flags) << 32n)), depth - 1)
      return
    }
    this.order(key, false)
    this.entries++
    if (flags === BIG) this.overflow(page, keyEnd, low)
    else if (flags !== 0 || keyEnd + low > this.pageSize) throw damage('a value does not fit in its page')
  }

  /** Keys ascend; what separates two pages is above the one before and not above the one behind. */
  private order(key: Buffer, isSeparator: boolean): void {
    if (!this.isOrdered) return
    const order = Buffer.compare(this.before, key)
    const isRight = isSeparator ? order < 0 : order < 0 || (order === 0 && this.wasSeparator)
    if (!isRight) throw damage('keys are out of order')
    this.before = Buffer.from(key)
    this.wasSeparator = isSeparator
  }

  private overflow(page: Buffer, at: number, size: number): void {
    if (at + HEADER > this.pageSize) throw damage('a value does not fit in its page')
    const number = this.number(page.readBigUInt64LE(at))
    const count = page.readBigUInt64LE(at + 16)
    const first = this.read(number)
    const isRight =
      (first.readUInt16LE(18) & KINDS) === OVERFLOW &&
      BigInt(first.readUInt32LE(20)) === count &&
      BigInt(number) + count - 1n <= BigInt(this.last) &&
      BigInt(size) + BigInt(HEADER) <= count * BigInt(this.pageSize)
    if (!isRight) throw damage('a long value is not where it should be')
    for (let next = number + 1; next < number + Number(count); next++) {
      if (this.seen[next] !== 0) throw damage('a page is used twice')
      this.seen[next] = 1
    }
  }
}

function damage(what: string): StoreError {
  return new StoreError('damaged', `the file is damaged: ${what}`)
}

/**
 * Checks every page that is in use. To be called while nobody writes.
 * @throws StoreError 'damaged'
 */
export function checkPages(path: string): void {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    if (size === 0) return
    const first = metaAt(file, 0)
    const pageSize = first.readUInt32LE(Meta.PAGE_SIZE)
    if (pageSize < 512 || pageSize > 65_536) throw damage('its first page makes no sense')
    const second = metaAt(file, pageSize)
    const isSecond = second.readBigUInt64LE(Meta.TRANSACTION) > first.readBigUInt64LE(Meta.TRANSACTION)
    const meta = isSecond ? second : first
    const last = meta.readBigUInt64LE(Meta.LAST)
    if (last > BigInt(Math.ceil(size / pageSize)) * 2n + 65_536n) throw damage('its first page makes no sense')
    const seen = new Uint8Array(Number(last) + 1)
    for (const [tree, isOrdered] of [
      // The list of free pages has numbers as keys.
      [Meta.FREE, false],
      [Meta.MAIN, true],
    ] as const)
      new Pages(file, pageSize, Number(last), seen, isOrdered).check(
        meta.readBigUInt64LE(tree + Tree.ROOT),
        meta.readUInt16LE(tree + Tree.DEPTH),
        meta.readBigUInt64LE(tree + Tree.ENTRIES),
      )
    checkEnd(size, pageSize, seen)
  } finally {
    closeSync(file)
  }
}

function metaAt(file: number, position: number): Buffer {
  const page = Buffer.alloc(Meta.SIZE)
  if (readSync(file, page, 0, Meta.SIZE, position) < Meta.SIZE) throw damage('the file has been cut short')
  if (page.readUInt32LE(HEADER) !== 0xbeefc0de || page.readUInt32LE(HEADER + 4) !== FORMAT)
    throw damage('one of its first two pages makes no sense')
  return page
}

/** The last page of a long value is not read. */
function checkEnd(size: number, pageSize: number, seen: Uint8Array): void {
  if ((seen.lastIndexOf(1) + 1) * pageSize > size) throw damage('the file has been cut short')
}
