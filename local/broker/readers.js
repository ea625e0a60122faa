"use strict";

const { levelNeeded, levelTooLow, tooManyReaders } = require("./refusals.js");

const MOST_READERS = 5;

/**
 * Lets `reader` read a partition in a consumer group beside `others`, who do so already: the ones that it displaces.
 * A reader is `{name, level}`; the level, an SDK's owner level or AMQP's epoch, is undefined where none was asked for.
 * Throws Refused.
 */
function admit(reader, others) {
  const levels = others.map(({ level }) => level).filter((level) => level !== undefined);
  const highest = levels.length > 0 ? Math.max(...levels) : undefined;
  if (reader.level === undefined) {
    if (highest !== undefined) throw levelNeeded(highest);
    if (others.length >= MOST_READERS) {
      throw tooManyReaders(
        MOST_READERS,
        others.map(({ name }) => name),
      );
    }
    return [];
  }
  if (highest > reader.level) {
    const holder = others.find(({ level }) => level === highest);
    throw levelTooLow(holder, reader.name, reader.level);
  }
  return others;
}

module.exports = { admit };
