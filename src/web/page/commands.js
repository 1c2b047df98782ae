// The commands of the composer, such as /nick. `typed.js` parses them.

import { formatInvite, formatLock } from './protocol.js';
import { appoints, moderates } from './ranks.js';
import { ACCOUNT_USAGES, APPOINTMENT_USAGES, MODERATION_USAGES, ROOM_USAGES, USAGES } from './typed.js';
import { listed, refusal } from './wording.js';

const NOT_CONNECTED = 'Not connected. Try again later.';
const NO_ACCOUNTS = 'This server has no accounts.';
const NOT_PRIVATE = 'Others could read your password on the way. Open this page with https://';
const ONE_ROOM = 'This server has only one room.';
const LAST_ROOM = 'This is your only room. Open another one first, or use Quit to leave the chat.';

/**
 * The functions of the commands by their kinds. Each gets the result of `readLine` and the conversation `from` which the line was sent,
 * and may return the reason why it refuses it. `giveBack(line, reason)` returns a refused line to its conversation.
 */
export function commandsOf({ session, canvas, status, names, account, moderation, rooms, quit, logOut, changed, giveBack }) {
  return {
    ...roomCommandsOf({ session, rooms, giveBack }),
    ...moderationCommandsOf({ session, moderation, giveBack }),
    ...accountCommandsOf({ session, names, account, logOut }),

    nick(line) {
      session.rename(line.name, (reply) => {
        if (reply?.isOk) names.remember(reply.value);
        else giveBack(line, reply ? refusal(reply, line.name) : NOT_CONNECTED);
        changed();
      });
    },

    quit,

    who({ from }) {
      const { current: room } = session;
      const shown = room.people.map(({ name, isCoordinator, rank }) => {
        const roles = [name === room.me && 'you', isCoordinator && 'coordinator', rank].filter(Boolean);
        return roles.length ? `${name} (${roles.join(', ')})` : name;
      });
      from.note(shown.length === 1 ? 'Only you are here.' : `${shown.length} members: ${listed(shown)}.`);
    },

    status() {
      if (!session.current.isCoordinator) {
        return 'Only the coordinator, the member who has been in the room longest, can see times and addresses.';
      }
      status.open();
      return '';
    },

    canvas() {
      canvas.isShown = !canvas.isShown;
    },

    ping({ from }) {
      if (!session.isConnected) return 'Not connected.';
      const start = performance.now();
      session.ping((reply) => reply && from.note(`The server replied in ${Math.round(performance.now() - start)} ms.`));
      return '';
    },

    delete(line) {
      return moderation.deleteLast(line.from.room, (reason) => giveBack(line, reason));
    },

    help({ from }) {
      const commands = Object.values(usages(session)).map(([usage, effect]) => `${usage}: ${effect}`);
      from.note(['Commands:', ...commands, '//text: send a message that begins with a slash'].join('\n'));
    },
  };
}

/** The usages of the commands that the server supports, and that the user may use in the room that the page shows. */
export function usages({ hasRooms, hasAccounts, current: { rank } }) {
  return {
    ...USAGES,
    ...(hasRooms ? ROOM_USAGES : {}),
    ...(hasAccounts ? ACCOUNT_USAGES : {}),
    ...(moderates(rank) ? MODERATION_USAGES : {}),
    ...(appoints(rank) ? APPOINTMENT_USAGES : {}),
  };
}

/** Why the user cannot leave a room now; empty if that is possible. */
export function problemOfLeaving(session) {
  if (!session.isConnected) return NOT_CONNECTED;
  return session.rooms.length < 2 ? LAST_ROOM : '';
}

/** The commands about rooms. `rooms.go(name)`, `rooms.join(names, refused, from)` and `rooms.find()` show a room or the dialog. */
function roomCommandsOf({ session, rooms, giveBack }) {
  const answer = (line) => (reply) => reply?.isOk || giveBack(line, reply ? refusal(reply) : NOT_CONNECTED);
  const commands = {
    join(line) {
      rooms.join(line.rooms, answer(line), line.from);
    },

    part(line) {
      const { room: name, reason } = line;
      const room = name === null ? session.current : session.roomNamed(name);
      if (!room) return `You are not in ${name}.`;
      const problem = problemOfLeaving(session);
      if (!problem) session.part(room, reason, answer(line));
      return problem;
    },

    topic(line) {
      const { text, from } = line;
      const { room } = from;
      if (text !== null) session.setTopic(room, text === '-' ? '' : text, answer(line));
      else from.note(room.topic ? `The topic is: ${room.topic}` : 'The room has no topic. To set one, type /topic text');
    },

    rooms: () => rooms.find(),
    home: () => rooms.go(session.home.name),
  };
  return Object.fromEntries(Object.entries(commands).map(([kind, run]) => [kind, (typed) => (session.hasRooms ? run(typed) : ONE_ROOM)]));
}

/** The commands of moderators. The first ones open dialogs. */
function moderationCommandsOf({ session, moderation, giveBack }) {
  const refused = (line) => (reason) => giveBack(line, reason);
  return {
    moderate(line) {
      moderation.begin(line, refused(line));
    },

    bans(line) {
      moderation.showBans(refused(line));
    },

    lock(line) {
      moderation.send(session.current, formatLock(line.lock), refused(line));
    },

    invite(line) {
      moderation.send(session.current, formatInvite(line.name, line.isInvited), refused(line));
    },

    moderator(line) {
      moderation.setModerator(session.current, line.name, line.isModerator, refused(line));
    },
  };
}

/** The commands about accounts. They open dialogs: a password is not typed in a line. */
function accountCommandsOf({ session, names, account, logOut }) {
  const needsLogin = (run) => () => (session.account.name ? run() : 'You are not logged in.');
  const needsGuest = (run) => () => (session.account.name ? `You are logged in as ${session.account.name} already.` : run());
  const commands = {
    account: () => account.open(),
    register: needsGuest(() => account.open('register')),
    login: needsGuest(() => names.askToLogIn('', session.me)),
    logout: needsLogin(logOut),
  };
  const problem = () => {
    if (!session.isConnected) return NOT_CONNECTED;
    if (!session.hasAccounts) return NO_ACCOUNTS;
    return session.isPrivate ? '' : NOT_PRIVATE;
  };
  return Object.fromEntries(Object.entries(commands).map(([kind, run]) => [kind, () => problem() || run()]));
}
