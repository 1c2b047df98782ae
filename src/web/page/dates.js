// Formats days, times of day and durations. Pure: the current time is an argument.

const DATE_AND_TIME = new Intl.DateTimeFormat([], { dateStyle: 'full', timeStyle: 'medium' });
const DAY = new Intl.DateTimeFormat([], { weekday: 'long', day: 'numeric', month: 'long' });
const DAY_AND_YEAR = new Intl.DateTimeFormat([], { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });

/** Units of durations, in seconds. */
const UNITS = [['day', 86_400], ['hour', 3600], ['minute', 60], ['second', 1]];

const SHORT = new Intl.DateTimeFormat([], { dateStyle: 'medium' });

export function timeOfDay(date) {
  return [date.getHours(), date.getMinutes()].map((number) => String(number).padStart(2, '0')).join(':');
}

export function dateAndTime(date) {
  return DATE_AND_TIME.format(date);
}

/** The date without the time, such as `30 Nov 2026`. */
export function shortDate(date) {
  return SHORT.format(date);
}

/** A time of today, or another day with the time: `14:05`, `1 Dec 2026, 14:05`. */
export function momentOf(date, now) {
  return isSameDay(date, now) ? timeOfDay(date) : `${shortDate(date)}, ${timeOfDay(date)}`;
}

/** A duration that somebody has chosen, in the largest unit that it has a whole number of: `10 minutes`, `7 days`. */
export function wholeDuration(seconds) {
  const [unit, size] = UNITS.find(([, size]) => seconds % size === 0);
  const count = seconds / size;
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

export function isSameDay(one, other) {
  return one.toDateString() === other.toDateString();
}

/** The day of `date`, with `Today` or `Yesterday` before it if that applies. */
export function dayName(date, now) {
  if (isSameDay(date, now)) return `Today, ${DAY.format(date)}`;
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  if (isSameDay(date, yesterday)) return `Yesterday, ${DAY.format(date)}`;
  return (date.getFullYear() === now.getFullYear() ? DAY : DAY_AND_YEAR).format(date);
}

/** Milliseconds from `now` until the next day begins. */
export function untilTomorrow(now) {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1) - now;
}

/** A duration in words, in its two largest units. */
export function duration(seconds) {
  const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3600), Math.floor(seconds / 86_400)];
  if (days) return joined([days, days === 1 ? 'day' : 'days'], [hours % 24, 'h']);
  if (hours) return joined([hours, 'h'], [minutes % 60, 'min']);
  return minutes ? `${minutes} min` : 'less than 1 min';
}

function joined([large, unit], [small, smallUnit]) {
  return small ? `${large} ${unit} ${small} ${smallUnit}` : `${large} ${unit}`;
}
