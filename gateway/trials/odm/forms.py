"""Clinical data of a subject as captured forms, and a captured form as clinical data.

True here: only what is there: transactions and marks are not of a captured form. Removals have no place in one.
"""

from collections.abc import Iterator

from gateway.errors import CallerError
from gateway.trials.definition.forms import CapturedForm, CapturedGroup, CapturedItem
from gateway.trials.odm.marks import Transaction
from gateway.trials.odm.model import ClinicalData, FormData, GroupData, ItemData


def captured_forms(clinical: ClinicalData) -> Iterator[tuple[str, CapturedForm]]:
    """Each form with its subject's key, in order. Raises CallerError for data that are removed."""
    for subject in clinical.subjects:
        _check_there(subject.transaction, "SubjectData")
        for event in subject.events:
            _check_there(event.transaction, event.oid)
            for form in event.forms:
                _check_there(form.transaction, form.oid)
                yield (
                    subject.key,
                    CapturedForm(
                        study=clinical.study,
                        version=clinical.version,
                        event=event.oid,
                        event_repeat_key=event.repeat_key,
                        form=form.oid,
                        form_repeat_key=form.repeat_key,
                        groups=tuple(_captured_group(one) for one in form.groups),
                    ),
                )


def _check_there(transaction: Transaction | None, oid: str) -> None:
    if transaction is Transaction.REMOVE:
        raise CallerError("is removed, and no captured form", field=("ODM", "ClinicalData", oid[:64]))


def _captured_group(group: GroupData) -> CapturedGroup:
    _check_there(group.transaction, group.oid)
    return CapturedGroup(
        oid=group.oid,
        repeat_key=group.repeat_key,
        items=tuple(_captured_item(one) for one in group.items),
        groups=tuple(_captured_group(one) for one in group.groups),
    )


def _captured_item(item: ItemData) -> CapturedItem:
    _check_there(item.transaction, item.oid)
    return CapturedItem(oid=item.oid, text=item.value, unit=item.unit)


def form_data(form: CapturedForm) -> FormData:
    """Without transactions and marks, which whoever keeps the history adds."""
    return FormData(oid=form.form, repeat_key=form.form_repeat_key, groups=tuple(_group(one) for one in form.groups))


def _group(group: CapturedGroup) -> GroupData:
    return GroupData(
        oid=group.oid,
        repeat_key=group.repeat_key,
        items=tuple(
            ItemData(oid=one.oid, value=one.text, is_null=one.text is None, unit=one.unit) for one in group.items
        ),
        groups=tuple(_group(one) for one in group.groups),
    )
