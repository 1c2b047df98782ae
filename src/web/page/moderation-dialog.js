// The dialog with which a moderator mutes, removes or bans a member: for how long, why and, for operators, in the room or on the whole server.

import { element } from './text.js';

/** The actions of the dialog. `duration` is the one that is proposed; without it, the action ends at once. */
const ACTIONS = {
  mute: { title: 'Mute', button: 'Mute', duration: '10m', effect: 'The member still reads everything, and cannot write.' },
  kick: { title: 'Remove', button: 'Remove', effect: 'The member can come back at once. To keep it out, use Ban.' },
  ban: { title: 'Ban', button: 'Ban', duration: '1d', effect: 'The member leaves, and cannot come back under this name or with this account.' },
  'ban-connection': {
    title: 'Ban the connection of',
    button: 'Ban',
    duration: '1d',
    effect: 'All members at the same address leave, and cannot come back. The address is shown to nobody.',
  },
};

const byId = (id) => document.getElementById(id);

export class ModerationDialog {
  #dialog = byId('moderation-dialog');
  #form = byId('moderation-form');
  #reason = byId('moderation-reason');
  #duration = byId('moderation-duration');
  #submit;
  /** What the dialog is about: `{ action, subject, room }`. */
  #about = null;

  /** `submit({ action, subject, room, isOnServer, duration, reason })` does it. The dialog stays open until `close()`. */
  constructor(submit) {
    this.#submit = submit;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#explain('');
      byId('moderate').disabled = true;
      const { action } = this.#about;
      const duration = ACTIONS[action].duration ? this.#duration.value : '';
      const isOnServer = this.#form.elements.place.value === 'server';
      submit({ ...this.#about, isOnServer, duration, reason: this.#reason.value.trim() });
    });
    this.#form.addEventListener('input', () => this.#explain(''));
  }

  /** Opens the dialog. `mayServer`: the user may choose the whole server. */
  open({ action, subject, room, reason = '' }, mayServer) {
    const { title, button, duration, effect } = ACTIONS[action];
    this.#about = { action, subject, room };
    byId('moderation-title').replaceChildren(`${title} `, element('bdi', {}, subject.name));
    byId('moderation-effect').textContent = effect;
    byId('moderation-room').textContent = room.name;
    byId('moderation-place').hidden = !mayServer;
    this.#form.elements.place.value = 'room';
    byId('moderation-time').hidden = !duration;
    this.#duration.value = duration ?? '';
    this.#reason.value = reason;
    byId('moderate').textContent = button;
    this.#explain('');
    if (!this.#dialog.matches(':popover-open')) this.#dialog.showPopover();
    (duration ? this.#duration : this.#reason).focus();
  }

  /** Closes the dialog; with a subject, only if it is still about that. */
  close(subject = this.#about?.subject) {
    if (this.#about?.subject === subject) this.#dialog.hidePopover();
  }

  /** Explains why the server has refused it. */
  refuse(text) {
    this.#explain(text);
    this.#reason.focus();
  }

  #explain(text) {
    byId('moderation-error').textContent = text;
    byId('moderate').disabled = false;
  }
}
