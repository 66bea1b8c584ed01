"""The Spanish of the pages, by their English."""

from collections.abc import Mapping

SPANISH: Mapping[str, str] = {
    "(no text)": "(sin texto)",
    "A pause is begun and ended by a supervisor.": "Una pausa la empieza y la termina supervisión.",
    "A result of {time} waits for its second entry. Until then nothing is decided and nothing is handed over.": (
        "Un resultado de {time} espera su segunda anotación. Hasta entonces no se decide ni se entrega nada."
    ),
    "Act": "Acto",
    "Act {number}": "Acto {number}",
    "After": "Después",
    "After you opened the form, this was recorded for the same participant. Yours is not recorded yet.": (
        "Después de que usted abrió el formulario se anotó esto para la misma persona. Lo suyo aún no está anotado."
    ),
    "Another participant has this label.": "Otra persona tiene esta etiqueta.",
    "Assertion of a balance": "Afirmación de un saldo",
    "Audit": "Auditoría",
    "Audit everything now": "Auditar todo ahora",
    "Audit of {label}": "Auditoría de {label}",
    "Audit visit {visit}": "Auditar la visita {visit}",
    "Auditors read it. Write no names.": "Lo leen los auditores. No escriba nombres.",
    "Awarded": "Concedido",
    "Awarded in all": "Concedido en total",
    "Awarded in all, compared with before": "Concedido en total, comparado con antes",
    "Balance": "Saldo",
    "Because: {why}": "Motivo: {why}",
    "Before": "Antes",
    "Begin the pause": "Empezar la pausa",
    "By": "Por",
    "Change it if the day was mistyped.": "Cámbielo si el día se escribió mal.",
    "Change the plan": "Cambiar el plan",
    "Change": "Cambiar",
    "Chart note": "Nota clínica",
    "Chart notes and reasons of corrections": "Notas clínicas y motivos de correcciones",
    "Choose a program.": "Elija un programa.",
    "Choose the result.": "Elija el resultado.",
    "Choose the visit.": "Elija la visita.",
    "Choose what is right.": "Elija lo que es correcto.",
    "Choose what it is a result of.": "Elija de qué es el resultado.",
    "Choose who you are.": "Elija quién es usted.",
    "Clinic rewards": "Recompensas de la clínica",
    "Close the days before today": "Cerrar los días anteriores a hoy",
    "Commitment of the prize draws": "Compromiso de los sorteos",
    "Compare": "Comparar",
    "Content": "Contenido",
    "Correct or withdraw it": "Corregirlo o retirarlo",
    "Correct": "Corregir",
    "Correct an entry": "Corregir una anotación",
    "Correct visit {visit}": "Corregir la visita {visit}",
    "Correction": "Corrección",
    "Day": "Día",
    "Day after": "Día siguiente",
    "Day before": "Día anterior",
    "Days closed": "Días cerrados",
    "Days": "Días",
    "Days since": "Días desde entonces",
    "Decided anew": "Decidido de nuevo",
    "Decided besides": "Decidido además",
    "Decided": "Decidida",
    "Decision": "Decisión",
    "Decision {number}": "Decisión {number}",
    "Difference": "Diferencia",
    "Digest of the program": "Huella del programa",
    "Drawn from the bowl": "Sacado de la urna",
    "During a pause, as in a residential stay, nobody is expected.": (
        "Durante una pausa, como un internamiento, no se espera a la persona."
    ),
    "Each of these was entered by one person. Read the result from its source and enter it again; what was entered "
    "first is not shown.": (
        "Cada uno lo anotó una persona. Lea el resultado en su origen y anótelo otra vez; lo anotado primero no se muestra."
    ),
    "End of the pause": "Fin de la pausa",
    "End the pause": "Terminar la pausa",
    "Enter the reason.": "Escriba el motivo.",
    "Everything has been handed over.": "Todo está entregado.",
    "Excuse an absence": "Justificar una falta",
    "Excuse or move visit {visit}": "Justificar o mover la visita {visit}",
    "Excuse or move": "Justificar o mover",
    "Excuse the absence": "Justificar la falta",
    "Excuse": "Justificar",
    "Expected": "Se espera a",
    "First day back": "Primer día de vuelta",
    "First day of the pause": "Primer día de la pausa",
    "Fits no visit": "No es de ninguna visita",
    "From this day on the participant is expected again.": "Desde este día se espera otra vez a la persona.",
    "Has come": "Vino",
    "How it stands": "Cómo está",
    "If the day was mistyped, a supervisor corrects it.": (
        "Si el día se escribió mal, lo corrige supervisión."
    ),
    "If the day was mistyped, correct it; if the result does not belong here, withdraw it.": (
        "Si el día se escribió mal, corríjalo; si el resultado no es de aquí, retírelo."
    ),
    "It is recorded.": "Está anotado.",
    "Its window moves with it. It stays between the visits before and after it.": (
        "Su plazo se mueve con ella. Queda entre la visita anterior y la siguiente."
    ),
    "Later visits: {number}": "Visitas posteriores: {number}",
    "Move a visit": "Mover una visita",
    "Move the visit": "Mover la visita",
    "New day": "Nuevo día",
    "Next visits": "Próximas visitas",
    "Nobody came before": "Antes no vino nadie",
    "Nobody came to these visits, and they are over. This was decided:": (
        "Nadie vino a estas visitas y ya pasaron. Se decidió esto:"
    ),
    "Nobody is expected on this day.": "No se espera a nadie este día.",
    "Not counted": "No cuenta",
    "Not handed over yet": "Aún sin entregar",
    "Not recorded: it is not on the way any more": "No se anotó: ya no está en camino",
    "Nothing is decided by them. Correct the day, or withdraw the result.": (
        "No deciden nada. Corrija el día o retire el resultado."
    ),
    "Of programs whose visits have no days of their own.": "De programas cuyas visitas no tienen día propio.",
    "On the way": "En camino",
    "Open now": "Abierta ahora",
    "Overdue": "Atrasada",
    "Pause": "Pausa",
    "Paused": "En pausa",
    "Planned for": "Prevista para",
    "Planned visits": "Visitas previstas",
    "Planned": "Prevista",
    "Press the button when the participant has it.": "Pulse el botón cuando la persona lo tenga.",
    "Questions: results that fit no visit": "Preguntas: resultados que no son de ninguna visita",
    "Reason": "Motivo",
    "Since": "Desde",
    "Tell a supervisor: the day is corrected, or the result is withdrawn. It is on the list of questions.": (
        "Avise a supervisión: se corrige el día o se retira el resultado. Está en la lista de preguntas."
    ),
    "The visits of this program have no days: there is no plan to change.": (
        "Las visitas de este programa no tienen día: no hay plan que cambiar."
    ),
    "The windows around it:": "Los plazos cercanos:",
    "There is a pause: nobody is expected until it ends.": (
        "Hay una pausa: no se espera a la persona hasta que termine."
    ),
    "There was nothing to decide. Visits that are overdue have days of grace, and are decided after them.": (
        "No había nada que decidir. Las visitas atrasadas tienen días de gracia, y se deciden después."
    ),
    "This result fits no visit. It is kept, and nothing is decided by it yet.": (
        "Este resultado no es de ninguna visita. Se guarda, y aún no decide nada."
    ),
    "This result is kept, and does not count: its visit has another one.": (
        "Este resultado se guarda y no cuenta: su visita tiene otro."
    ),
    "This result shows that these visits are over. They were decided first:": (
        "Este resultado muestra que estas visitas ya pasaron. Se decidieron primero:"
    ),
    "Visit moved": "Visita movida",
    "Visits that are over and that nobody came to are decided. What comes late all the same takes its place.": (
        "Se deciden las visitas que pasaron y a las que nadie vino. Lo que aun así llegue tarde ocupa su lugar."
    ),
    "Visits that are over: {number}": "Visitas que ya pasaron: {number}",
    "What became of it": "Qué fue de ella",
    "Window": "Plazo",
    "Enroll": "Inscribir",
    "Enroll a participant": "Inscribir a una persona",
    "Enter a day.": "Escriba un día.",
    "Enter a label.": "Escriba una etiqueta.",
    "Enter a result": "Anotar un resultado",
    "Enter another result": "Anotar otro resultado",
    "Enter it": "Anotarlo",
    "Enter it again": "Anotarlo otra vez",
    "Enter the day and the time.": "Escriba el día y la hora.",
    "Enter them": "Anotarlos",
    "Enrollment": "Inscripción",
    "Entered": "Anotado",
    "Entered first": "Anotado primero",
    "Entries and corrections": "Anotaciones y correcciones",
    "Entry": "Anotación",
    "Event": "Suceso",
    "Every act, in order": "Todos los actos, en orden",
    "Everybody was seen.": "Se vio a todas las personas.",
    "Excused": "Justificada",
    "Expired": "Vencido",
    "Find": "Buscar",
    "Find a participant": "Buscar a una persona",
    "First day of the program": "Primer día del programa",
    "First, by {who}": "Primero, por {who}",
    "Found": "Encontrados",
    "Given too much; taken off later rewards": "Entregado de más; se descuenta de recompensas posteriores",
    "Given too much; the program bears it": "Entregado de más; lo asume el programa",
    "Hand over now": "Entregar ahora",
    "Hand over once, if it has not been handed over yet": "Entregar una sola vez, si aún no se ha entregado",
    "Handed over": "Entregado",
    "Hash": "Huella",
    "If it is excused: the reason": "Si es justificada: el motivo",
    "If the first entry is wrong, withdraw it; then it is entered anew.": (
        "Si la primera anotación está mal, retírela; después se anota de nuevo."
    ),
    "If the visit took place, choose its right result. An entry that should not be there is as if it had never been.": (
        "Si la visita tuvo lugar, elija su resultado correcto. Una anotación que no debe existir es como si nunca hubiera existido."
    ),
    "If the visit took place, choose its right result. An entry that should not be there is as if it had never been, "
    "and the visits after it move up.": (
        "Si la visita tuvo lugar, elija su resultado correcto. Una anotación que no debe existir es como si nunca "
        "hubiera existido, y las visitas posteriores se adelantan un lugar."
    ),
    "Interface for systems": "Interfaz para sistemas",
    "Is it another visit, and to be recorded as well? If it is the same one, leave it.": (
        "¿Es otra visita y hay que anotarla también? Si es la misma, déjelo."
    ),
    "It came late: these were decided anew": "Llegó tarde: esto se decidió de nuevo",
    "It waits for its second entry": "Espera su segunda anotación",
    "It was sent before with other content. What was recorded stays as it is; nothing was changed now.": (
        "Se envió antes con otro contenido. Lo anotado queda como está; ahora no se cambió nada."
    ),
    "Label": "Etiqueta",
    "Label or id": "Etiqueta o número",
    "Language": "Idioma",
    "Last entry": "Última anotación",
    "Last hash": "Última huella",
    "Leave it": "Dejarlo",
    "Leave it as it is": "Dejarlo como está",
    "Look closer": "Ver más",
    "Made again and compared: {records} acts, {decisions} decisions.": (
        "Rehecho y comparado: {records} actos, {decisions} decisiones."
    ),
    "Made by act": "Hecha por el acto",
    "Main": "Principal",
    "Met: negative, taken, attended": "Cumplido: negativa, tomada, asistió",
    "Missed": "Faltó",
    "Next participant": "Siguiente persona",
    "Next, if it is met: {amount}.": "La próxima, si se cumple: {amount}.",
    "No decision changes.": "No cambia ninguna decisión.",
    "No entry yet.": "Aún no hay anotaciones.",
    "No further visit is planned.": "No hay más visitas previstas.",
    "Nobody is enrolled yet.": "Aún no hay nadie inscrito.",
    "Nobody is found under this label or id.": "No se encuentra a nadie con esta etiqueta o número.",
    "None.": "Nada.",
    "Not clear": "No claro",
    "Not met: positive, not taken, not attended": "No cumplido: positiva, no tomada, no asistió",
    "Not seen on this day": "No vistos este día",
    "Nothing has been awarded yet.": "Aún no se ha concedido nada.",
    "Nothing is corrected yet. Look at what was recorded, and go on if your correction is still right.": (
        "Aún no se corrigió nada. Mire lo anotado y siga si su corrección sigue siendo correcta."
    ),
    "Nothing to confirm": "Nada que confirmar",
    "Nothing waits under this number.": "Nada espera con este número.",
    "Nothing waits.": "Nada espera.",
    "Nothing was changed.": "No se cambió nada.",
    "Nothing was changed. The address may be mistyped, or what it names is not there.": (
        "No se cambió nada. La dirección puede estar mal escrita, o lo que nombra no existe."
    ),
    "Nothing was due": "No tocaba nada",
    "Nothing was lost. Go back and send the form again: it is recorded once.": (
        "No se perdió nada. Vuelva atrás y envíe el formulario otra vez: se anota una sola vez."
    ),
    "Nothing was recorded on this day.": "No se anotó nada este día.",
    "Nothing was recorded yet": "Aún no se anotó nada",
    "Nothing was recorded.": "No se anotó nada.",
    "Nothing was recorded. Look at the source together.": "No se anotó nada. Miren juntos el origen.",
    "Of what?": "¿De qué?",
    "Only the first {most} are shown. Type more of the label.": (
        "Solo se muestran los primeros {most}. Escriba más de la etiqueta."
    ),
    "Other enrollments": "Otras inscripciones",
    "Participant": "Participante",
    "Participant's page": "Página de la persona",
    "Participants": "Participantes",
    "Program": "Programa",
    "Progress": "Progreso",
    "Reasons, by their rule": "Razones, por su regla",
    "Record": "Anotar",
    "Record it as well": "Anotarla también",
    "Record the correction": "Anotar la corrección",
    "Recorded": "Anotado",
    "Recorded at": "Anotado",
    "Recorded in between": "Anotado entretanto",
    "Reasons": "Razones",
    "Refused": "No quiso",
    "Result": "Resultado",
    "Reward": "Recompensa",
    "Rewards so far, and the next one": "Recompensas hasta ahora, y la próxima",
    "Saved for the participant; nothing to hand over now": "Guardado para la persona; nada que entregar ahora",
    "Saved, not asked for yet": "Guardado, aún no pedido",
    "Say why: auditors read it.": "Diga por qué: lo leen los auditores.",
    "Second entries": "Segundas anotaciones",
    "Second entry": "Segunda anotación",
    "Second, by {who}": "Segundo, por {who}",
    "Sent now": "Enviado ahora",
    "Short, and for this clinic only. Never a name: two words that you agree on will do.": (
        "Corta, y solo para esta clínica. Nunca un nombre: bastan dos palabras acordadas."
    ),
    "Show what would change": "Mostrar qué cambiaría",
    "Sign in": "Entrar",
    "Sign out": "Salir",
    "Skip to the content": "Saltar al contenido",
    "Something came in between": "Algo llegó entretanto",
    "Something came in between. Look at it, and enter the result again if it is still right.": (
        "Algo llegó entretanto. Mírelo, y anote otra vez el resultado si sigue siendo correcto."
    ),
    "Source and key": "Origen y clave",
    "Staff": "Personal",
    "Statement to print": "Estado de cuenta para imprimir",
    "The clock was put forward then: there was no such time.": "El reloj se adelantó entonces: esa hora no existió.",
    "The correction is recorded": "La corrección está anotada",
    "The day": "El día",
    "The log is as it should be.": "El registro está como debe.",
    "The log is not as it should be.": "El registro no está como debe.",
    "The records cannot be reached": "No se puede llegar a los registros",
    "The records cannot be reached. Nothing is lost: send this form again, it is recorded once.": (
        "No se puede llegar a los registros. No se perdió nada: envíe este formulario otra vez, se anota una sola vez."
    ),
    "The next one then": "La siguiente entonces",
    "The two entries differ": "Las dos anotaciones son distintas",
    "There is no entry that stands under this number.": "No hay ninguna anotación vigente con este número.",
    "There is no such page": "No existe esta página",
    "This act led to no decision.": "Este acto no llevó a ninguna decisión.",
    "This cannot be done": "Esto no se puede hacer",
    "This cannot be read": "Esto no se puede leer",
    "This entry should not be there at all": "Esta anotación no debe existir",
    "This form is too old, or not one of ours. Go back, load the page again, and send it once more.": (
        "Este formulario es demasiado viejo, o no es nuestro. Vuelva atrás, cargue la página y envíelo otra vez."
    ),
    "This form is too old. Load the page again.": "Este formulario es demasiado viejo. Cargue la página otra vez.",
    "This form was dealt with before": "Este formulario ya se trató antes",
    "This form was recorded already": "Este formulario ya está anotado",
    "This form was sent before, and is kept once.": "Este formulario se envió antes, y se guarda una sola vez.",
    "This has characters that cannot be kept.": "Tiene caracteres que no se pueden guardar.",
    "This is done by:": "Esto lo hace:",
    "This is too long.": "Es demasiado largo.",
    "This page cannot be used in that way": "Esta página no se usa de esa manera",
    "This result was confirmed already. It is recorded once.": "Este resultado ya se confirmó. Está anotado una sola vez.",
    "This result was withdrawn. It is to be entered anew.": "Este resultado se retiró. Hay que anotarlo de nuevo.",
    "This was recorded before, and is recorded once.": "Esto se anotó antes, y está anotado una sola vez.",
    "Time": "Hora",
    "Times are those of {zone}.": "Las horas son de {zone}.",
    "To hand over": "A entregar",
    "To hand over then": "A entregar entonces",
    "To hand over, in all": "A entregar, en total",
    "To the beginning": "Al inicio",
    "Today's rules would decide some of it otherwise; it is as its own release made it.": (
        "Las reglas de hoy decidirían algo de otro modo; está como lo hizo su propia versión."
    ),
    "Visit": "Visita",
    "Visit {visit}": "Visita {visit}",
    "Visits and rewards": "Visitas y recompensas",
    "Waiting for a second entry: {number}.": "Esperan una segunda anotación: {number}.",
    "What": "Qué",
    "What each result would pay": "Qué pagaría cada resultado",
    "What was given stays given. The program bears what was too much.": (
        "Lo entregado queda entregado. El programa asume lo que fue de más."
    ),
    "What was given stays given. What was too much is taken off later rewards.": (
        "Lo entregado queda entregado. Lo que fue de más se descuenta de recompensas posteriores."
    ),
    "What was reported": "Qué se informó",
    "What would change": "Qué cambiaría",
    "What you entered": "Lo que usted anotó",
    "When it was": "Cuándo fue",
    "When was it?": "¿Cuándo fue?",
    "Who are you?": "¿Quién es usted?",
    "Why": "Por qué",
    "Why this reward": "Por qué esta recompensa",
    "Withdraw the first entry": "Retirar la primera anotación",
    "Waits for its second entry": "Espera su segunda anotación",
    "Withdrawal": "Retiro",
    "Withdrawn": "Retirado",
    "Write no names.": "No escriba nombres.",
    "You are signed in as: {role}.": "Usted entró como: {role}.",
    "You entered the first result yourself. Another person has to enter the second.": (
        "Usted anotó el primer resultado. El segundo lo tiene que anotar otra persona."
    ),
    "You may not do this": "Usted no puede hacer esto",
    "as it stands now": "como está ahora",
    "auditor": "auditoría",
    "decided anew besides: {number}": "decidido de nuevo además: {number}",
    "entered {time}, by {who}": "anotado {time}, por {who}",
    "front desk": "recepción",
    "last entry {day}": "última anotación {day}",
    "next": "próx.",
    "next, if met": "próxima, si se cumple",
    "no difference": "sin diferencia",
    "no entry yet": "aún sin anotaciones",
    "no reward, place kept": "sin recompensa, lugar conservado",
    "none": "ninguno",
    "not met, no reward": "no cumplido, sin recompensa",
    "not there": "no estaba",
    "nothing": "nada",
    "of {day}": "del {day}",
    "optional": "opcional",
    "replaced or withdrawn": "reemplazada o retirada",
    "reward": "recompensa",
    "since {day}": "desde {day}",
    "stands": "vigente",
    "supervisor": "supervisión",
    "week {week}": "semana {week}",
    "withdrawn": "retirado",
    "{first} to {last}": "{first} a {last}",
    "{time}, by {who}": "{time}, por {who}",
    "A result of {day} fits no visit: nothing is decided by it.": (
        "Un resultado del {day} no es de ninguna visita: no decide nada."
    ),
    "A result was corrected. Do not hand this over:": "Se corrigió un resultado. No entregue esto:",
    "Another person enters the same result, then it is decided: a colleague at the desk, or a supervisor.": (
        "Otra persona anota el mismo resultado y entonces se decide: alguien más de recepción, o supervisión."
    ),
    "Came back": "Devuelto",
    "Do not hand it over again before you have asked.": "No lo entregue otra vez sin preguntar antes.",
    "First entry": "Primera anotación",
    "First entry withdrawn": "Primera anotación retirada",
    "If the first entry is right, enter the same; if it is wrong, a supervisor withdraws it.": (
        "Si la primera anotación está bien, anote lo mismo; si está mal, supervisión la retira."
    ),
    "It fits no visit. Change the day to that of its visit, or withdraw it.": (
        "No es de ninguna visita. Cambie el día por el de su visita, o retírelo."
    ),
    "It was given before the correction": "Se entregó antes de la corrección",
    "It was not given: take it off the list": "No se entregó: quitarlo de la lista",
    "Not handed over": "No entregado",
    "Not owed any more": "Ya no se debe",
    "Nothing is decided by them. A supervisor corrects the day, or withdraws the result.": (
        "No deciden nada. Supervisión corrige el día o retira el resultado."
    ),
    "Nothing is to be handed over.": "No hay nada que entregar.",
    "On its way": "Por entregar",
    "Put on its way": "Puesto para entregar",
    "This is a demonstration: it takes your word for it. Signing in is the job of the application around it: a clinic brings its own sign-in.": (
        "Esto es una demostración: le cree sin más. El acceso es tarea de la aplicación que la rodea: una clínica trae el suyo."
    ),
    "What was given stays given. Record it as it was:": "Lo entregado queda entregado. Anótelo como fue:",
    "Earlier payouts: {number}": "Pagos anteriores: {number}",
    "This time has not come yet.": "Esta hora aún no ha llegado.",
    "You are not on the staff, or do not work here on this day.": (
        "Usted no es del personal, o no trabaja aquí este día."
    ),
    "You entered it: another person enters it too.": "Usted lo anotó: otra persona lo anota también.",
    "You entered this result yourself. Another person has to correct it.": (
        "Usted anotó este resultado. Lo tiene que corregir otra persona."
    ),
    "You recorded the result that pays this. Another person has to hand it over.": (
        "Usted anotó el resultado que paga esto. Lo tiene que entregar otra persona."
    ),
    "Your role does not have the right to do this.": "Su función no tiene derecho a hacer esto.",
    "Your training is too long ago, or not written down. Ask a supervisor to renew it.": (
        "Su formación es de hace demasiado tiempo, o no consta. Pida a supervisión que la renueve."
    ),
    "{amount} of it is still owed": "{amount} de esto se deben todavía",
}
