'use strict';
// Built-in functions as they were before any other code ran. The guard calls these only, so that code which later
// replaces String.prototype.indexOf, Array.prototype[Symbol.iterator] and the like does not change what it decides.
// For the same reason the guard walks arrays by index: `for…of` and spread go through a replaceable iterator.

const fs = require('node:fs');
const path = require('node:path');
const { fileURLToPath } = require('node:url');

const { apply, construct, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys } = Reflect;
const { bind, call } = Function.prototype;

/** f → (self, ...args) => f.call(self, ...args), safe against a patched Function.prototype.call. */
const uncurryThis = (f) => apply(bind, call, [f]);

const typedArray = getPrototypeOf(Uint8Array.prototype);

module.exports = {
  apply, construct, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys, uncurryThis,
  freeze: Object.freeze,
  create: Object.create,
  assign: Object.assign,
  isArray: Array.isArray,
  isView: ArrayBuffer.isView,
  ErrorClass: Error,
  reject: apply(bind, Promise.reject, [Promise]),
  nextTick: process.nextTick,
  cwd: process.cwd,
  indexOf: uncurryThis(String.prototype.indexOf),
  slice: uncurryThis(String.prototype.slice),
  startsWith: uncurryThis(String.prototype.startsWith),
  endsWith: uncurryThis(String.prototype.endsWith),
  lower: uncurryThis(String.prototype.toLowerCase),
  charCode: uncurryThis(String.prototype.charCodeAt),
  copyBytes: uncurryThis(typedArray.slice),
  tag: uncurryThis(getOwnPropertyDescriptor(typedArray, Symbol.toStringTag).get),
  decode: uncurryThis(Buffer.prototype.toString),
  bufferFrom: Buffer.from,
  decodeUri: decodeURIComponent,
  stringify: JSON.stringify,
  now: Date.now,
  // What the guard itself asks of the file system, before patch.js replaces it.
  original: Object.freeze({
    lstatSync: fs.lstatSync, statSync: fs.statSync, readlinkSync: fs.readlinkSync, readdirSync: fs.readdirSync,
    realpath: fs.realpathSync.native,
    openSync: fs.openSync, fstatSync: fs.fstatSync, writeSync: fs.writeSync, closeSync: fs.closeSync, constants: fs.constants,
    resolve: path.resolve, dirname: path.dirname, basename: path.basename, fileURLToPath,
  }),
};
